"""Deterministic tables for the figures of syncs, made by DuckDB and copied into PostgreSQL.

`trips` has the shape of New York's taxi trips: 20 columns, a bigint key, timestamps, six
numeric(10,2), short texts, and `updated_at` as a cursor. Values come from hash(i, salt), so every
run and every server gets the same rows.
"""

import duckdb


def _h(salt: int, below: int) -> str:
    return f"CAST(hash(i * 1000003 + {salt}) % {below} AS BIGINT)"


def _money(salt: int, below: int) -> str:
    return f"CAST({_h(salt, below)} / 100.0 AS DECIMAL(10,2))"


def trips(rows: int) -> str:
    """A SELECT of DuckDB."""
    pickup = f"TIMESTAMP '2024-01-01' + to_seconds({_h(1, 366 * 86400)})"
    return f"""
SELECT i AS trip_id,
  CAST(1 + {_h(2, 2)} AS SMALLINT) AS vendor_id,
  {pickup} AS pickup_at,
  {pickup} + to_seconds(60 + {_h(3, 5400)}) AS dropoff_at,
  CASE WHEN {_h(4, 50)} = 0 THEN NULL ELSE CAST(1 + {_h(5, 6)} AS SMALLINT) END AS passenger_count,
  {_h(6, 30000)} / 1000.0::DOUBLE AS trip_distance,
  CAST(1 + {_h(7, 5)} AS SMALLINT) AS rate_code,
  ['N', 'Y'][CAST(1 + ({_h(8, 100)} = 0)::INT AS INT)] AS store_and_fwd,
  CAST(1 + {_h(9, 265)} AS INTEGER) AS pu_location,
  CAST(1 + {_h(10, 265)} AS INTEGER) AS do_location,
  ['card', 'cash', 'no charge', 'dispute', 'unknown'][CAST(1 + {_h(11, 5)} AS INT)] AS payment_type,
  {_money(12, 8000)} AS fare_amount,
  {_money(13, 500)} AS extra,
  CAST(0.5 AS DECIMAL(10,2)) AS mta_tax,
  {_money(14, 2000)} AS tip_amount,
  {_money(15, 1000)} AS tolls_amount,
  {_money(16, 10000)} AS total_amount,
  CASE WHEN {_h(17, 3)} = 0 THEN NULL
    ELSE 'driver ' || {_h(18, 20000)} || ' said ' || substr(md5(i::VARCHAR), 1, 12) END AS note,
  TIMESTAMP '2025-01-01' + to_seconds(i // 10) AS updated_at,
  ({_h(19, 10)} <> 0) AS is_valid
FROM range(1, {rows} + 1) t(i)"""


TRIPS = """CREATE TABLE {name} (trip_id bigint, vendor_id smallint, pickup_at timestamp,
 dropoff_at timestamp, passenger_count smallint, trip_distance double precision, rate_code smallint,
 store_and_fwd text, pu_location int, do_location int, payment_type text, fare_amount numeric(10,2),
 extra numeric(10,2), mta_tax numeric(10,2), tip_amount numeric(10,2), tolls_amount numeric(10,2),
 total_amount numeric(10,2), note text, updated_at timestamp, is_valid boolean)"""


def fill(duck: duckdb.DuckDBPyConnection, alias: str, name: str, rows: int) -> None:
    """Make the table anew in an attached PostgreSQL database, with its key and statistics."""

    def execute(sql: str) -> None:
        duck.execute(f"CALL postgres_execute('{alias}', $${sql}$$)")

    execute(f"DROP TABLE IF EXISTS {name}")
    execute(TRIPS.format(name=name))
    duck.execute("CALL pg_clear_cache()")
    duck.execute(f"INSERT INTO {alias}.public.{name} {trips(rows)}")
    execute(f"ALTER TABLE {name} ADD PRIMARY KEY (trip_id)")
    execute(f"CREATE INDEX ON {name} (updated_at)")
    execute(f"ANALYZE {name}")
