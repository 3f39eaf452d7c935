SELECT name, price FROM harbour_prices ORDER BY price DESC
