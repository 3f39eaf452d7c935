-- Raw: runs as it is written.
CREATE TABLE IF NOT EXISTS harbour_prices (name text PRIMARY KEY, price numeric, day date);

INSERT INTO harbour_prices (name, price, day)
SELECT name, rate * berths, '{{ execution_date }}'::date FROM {{ df_1 }}
ON CONFLICT (name) DO UPDATE SET price = excluded.price, day = excluded.day;
