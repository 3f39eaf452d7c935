SELECT ship, containers, harbour FROM harbour_containers ORDER BY ship
