CREATE TABLE IF NOT EXISTS harbour_containers (ship text, containers int, harbour text);

DELETE FROM harbour_containers;

INSERT INTO harbour_containers SELECT ship, containers, harbour FROM {{ df_1 }};
