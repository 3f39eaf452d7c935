"""dlt moves `trips` into Parquet files with its pyarrow backend; run by its own Python."""

import os
from pathlib import Path
from urllib.parse import quote

import dlt
from dlt.sources.sql_database import sql_table

folder = Path(os.environ["BENCH_FOLDER"]) / "dlt"
login = f"{os.environ['PGUSER']}:{quote(os.environ['PGPASSWORD'], safe='')}"
socket = quote(os.environ["PGHOST"], safe="")
url = f"postgresql+psycopg2://{login}@/{os.environ['PGDATABASE']}?host={socket}"
table = sql_table(url, table="trips", schema="public", backend="pyarrow", chunk_size=50_000)
pipeline = dlt.pipeline(
    "trips",
    destination=dlt.destinations.filesystem((folder / "lake").as_uri()),
    dataset_name="lake",
    pipelines_dir=str(folder / "state"),
)
pipeline.run(table, loader_file_format="parquet", write_disposition="replace")
