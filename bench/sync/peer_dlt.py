"""dlt moves `trips` into Parquet files with the backend that is named; run by its own Python."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

import dlt
from dlt.sources.sql_database import sql_table

backend = sys.argv[1]
folder = Path(os.environ["BENCH_FOLDER"]) / "dlt"
login = f"{os.environ['PGUSER']}:{quote(os.environ['PGPASSWORD'], safe='')}"
socket = quote(os.environ["PGHOST"], safe="")
url = f"postgresql+psycopg2://{login}@/{os.environ['PGDATABASE']}?host={socket}"
more = {}
if backend == "connectorx":
    # A stream of batches: by default dlt has connectorx hold the whole table.
    conn = f"postgresql://{login}@{socket}/{os.environ['PGDATABASE']}"
    more["backend_kwargs"] = {"return_type": "arrow_stream", "conn": conn}
table = sql_table(url, table="trips", schema="public", backend=backend, chunk_size=50_000, **more)
pipeline = dlt.pipeline(
    "trips",
    destination=dlt.destinations.filesystem((folder / "lake").as_uri()),
    dataset_name="lake",
    pipelines_dir=str(folder / "state"),
)
pipeline.run(table, loader_file_format="parquet", write_disposition="replace")
