"""Three million rows arrive everywhere with the same counts, sums and checksums."""

from typing import Any

import duckdb
import pytest

from tests.workers.sync.rig import Rig

ROWS = 3_000_000
# Shaped as the trips of taxis; each value follows from the number of its row.
TRIPS = f"""
CREATE TABLE trips (trip_id bigint PRIMARY KEY, vendor_id smallint, pickup_at timestamp,
  dropoff_at timestamp, passenger_count smallint, trip_distance double precision, rate_code smallint,
  store_and_fwd text, pu_location int, do_location int, payment_type text, fare_amount numeric(10,2),
  extra numeric(10,2), mta_tax numeric(10,2), tip_amount numeric(10,2), tolls_amount numeric(10,2),
  total_amount numeric(10,2), note text, updated_at timestamp, is_valid boolean);
INSERT INTO trips
SELECT i, 1 + h % 2, pickup, pickup + (60 + h % 5400) * interval '1 second',
  CASE WHEN h % 50 = 0 THEN NULL ELSE 1 + h % 6 END, (h % 30000) / 1024.0, 1 + h % 5,
  CASE WHEN h % 100 = 0 THEN 'Y' ELSE 'N' END, 1 + h % 265, 1 + (h / 7) % 265,
  (ARRAY['card', 'cash', 'no charge', 'dispute', 'unknown'])[1 + h % 5], (h % 8000) / 100.0,
  (h % 500) / 100.0, 0.5, (h % 2000) / 100.0, -(h % 1000) / 100.0, (h % 10000) / 100.0,
  CASE WHEN h % 3 = 0 THEN NULL ELSE 'driver ' || h % 20000 || ' said ż ' || md5(i::text) END,
  '2025-01-01'::timestamp + (i / 10) * interval '1 second', h % 10 <> 0
FROM (SELECT i, h, '2024-01-01'::timestamp + (h % 31622400) * interval '1 second' AS pickup
  FROM (SELECT i, (hashint8extended(i, 1) & 2147483647)::int AS h
    FROM generate_series(1, {ROWS}::bigint) AS i)) AS made"""
WHOLE = (
    *("trip_id", "vendor_id", "passenger_count", "rate_code", "pu_location", "do_location"),
    *(f"{name}_amount" for name in ("fare", "tip", "tolls", "total")),
    *("extra", "mta_tax"),
)
TIMES = ("pickup_at", "dropoff_at", "updated_at")
TEXTS = ("store_and_fwd", "payment_type", "note")


def figures(micros: str, number: str) -> str:
    """Counts and sums of all columns, and one sum over the rows' checksums.

    Of a time `micros` makes microseconds, and `number` the first 60 bits of a hash as a number.
    """
    kept = [*WHOLE, *TEXTS, *(micros.format(name) for name in TIMES)]
    texts = [f"coalesce(CAST({value} AS varchar), '-')" for value in kept]
    # Sums of these doubles are exact in any order: they are multiples of a power of two.
    texts.append("CAST(CAST(trip_distance * 1024 AS bigint) AS varchar)")
    texts.append("CASE WHEN is_valid THEN 'y' ELSE 'n' END")
    row = f"md5({' || chr(31) || '.join(texts)})"
    counts = [f"count({name})" for name in (*WHOLE, *TIMES, *TEXTS, "is_valid")]
    sums = [f"CAST(sum({name}) AS numeric(38,2))" for name in WHOLE]
    more = ["sum(trip_distance)", "count(*) FILTER (WHERE is_valid)", f"sum({number.format(row)})"]
    return f"count(*), {', '.join([*counts, *sums, *more])}"


OF_POSTGRES = figures(
    "(extract(epoch FROM {}) * 1000000)::bigint", "('x' || left({}, 15))::bit(60)::bigint"
)
OF_DUCKDB = figures("epoch_us({})", "('0x' || left({}, 15))::bigint")


def of_files(files: list[str]) -> tuple[Any, ...]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.execute(f"SELECT {OF_DUCKDB} FROM read_parquet($files)", {"files": files})
        return found.fetchall()[0]


@pytest.mark.long
async def test_trips(rig: Rig) -> None:
    await rig.sql.execute(TRIPS)
    wanted = tuple(await rig.sql.fetchrow(f"SELECT {OF_POSTGRES} FROM trips"))
    assert wanted[0] == ROWS
    streams = await rig.streams("trips")
    for destination in (rig.parquet, rig.iceberg, rig.postgres):
        assert (await rig.sync(destination, streams)).result["rows"] == ROWS
    in_lake = await rig.sql.fetchrow(f"SELECT {OF_POSTGRES} FROM lake.trips")
    assert tuple(in_lake) == wanted
    folder = rig.folder("trips")
    assert (
        of_files([str(folder / file["path"]) for file in rig.manifest("trips")["files"]]) == wanted
    )
    tasks = rig.iceberg_table("trips").scan().plan_files()
    assert of_files([task.file.file_path.removeprefix("file://") for task in tasks]) == wanted
