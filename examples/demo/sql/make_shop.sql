-- A small shop: customers and their orders, the same at every run.
CREATE SCHEMA IF NOT EXISTS shop;

CREATE TABLE IF NOT EXISTS shop.customers (
  id integer PRIMARY KEY,
  name text NOT NULL,
  city text NOT NULL,
  email text NOT NULL,
  joined_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS shop.orders (
  id integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES shop.customers,
  status text NOT NULL,
  amount numeric(10, 2) NOT NULL,
  ordered_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

INSERT INTO shop.customers
SELECT n,
       'Customer ' || n,
       (ARRAY['Colón', 'Balboa', 'Gamboa', 'Cristóbal', 'Panamá'])[1 + (n * 7) % 5],
       'customer' || n || '@example.com',
       timestamptz '2026-01-01 UTC' + n * interval '3 hours'
  FROM generate_series(1, 1000) n
ON CONFLICT DO NOTHING;

INSERT INTO shop.orders
SELECT n,
       1 + (n * 37) % 1000,
       (ARRAY['paid', 'paid', 'paid', 'shipped', 'returned'])[1 + (n * 11) % 5],
       5 + ((n::bigint * 7919) % 49500) / 100.0,
       timestamptz '2026-05-01 UTC' + n * interval '9 minutes',
       timestamptz '2026-05-01 UTC' + n * interval '9 minutes'
  FROM generate_series(1, 20000) n
ON CONFLICT DO NOTHING;

SELECT (SELECT count(*) FROM shop.customers) AS customers,
       (SELECT count(*) FROM shop.orders) AS orders;
