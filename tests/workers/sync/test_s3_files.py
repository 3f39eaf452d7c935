"""Files in a bucket, of an S3 service that runs in this process."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.workers.sync.rig import Line, Rig

KEYS = {"access_key_id": "key", "secret_access_key": "canary"}
LOCAL = {"address": "127.0.0.1"}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://storage.example:{port}"
    server.stop()


@pytest.fixture
def bucket(service: str) -> Iterator[Any]:
    client = boto3.resource(
        "s3",
        endpoint_url=service.replace("storage.example", "127.0.0.1"),
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="canary",
    )
    made = client.Bucket("lake-one")
    made.create()
    yield made
    made.objects.all().delete()
    made.delete()


def source(service: str, **config: Any) -> Line:
    given = {"bucket_name": "lake-one", "endpoint": service, "path_prefix": "in/", **KEYS}
    return {"type": "s3", "config": {**given, "file_format": "csv", **config}}


async def test_a_bucket(rig: Rig, service: str, bucket: Any) -> None:
    given = source(service)
    bucket.put_object(Key="in/one/a b[1].csv", Body=b"id,zip\n1,007\n")
    bucket.put_object(Key="in/one/deep/b.csv", Body=b"id,zip\n2,8\n")
    bucket.put_object(Key="elsewhere/c.csv", Body=b"id\n3\n")
    told = await rig.run(LOCAL, do="discover", source=given)
    (entry,) = told.result["catalog"]["streams"]
    assert (entry["stream"]["namespace"], entry["stream"]["name"]) == ("s3", "one")
    streams = [{"stream": {**entry["stream"], "sync_mode": "incremental"}, "selected": {}}]
    told = await rig.sync(rig.postgres, streams, source=given, answer=LOCAL)
    assert told.result["rows"] == 2
    assert "canary" not in str(told.lines) + told.stderr
    bucket.put_object(Key="in/one/c.csv", Body=b"id,zip\n3,9\n")
    told = await rig.sync(rig.postgres, streams, source=given, answer=LOCAL)
    assert told.result["rows"] == 1
    rows = await rig.sql.fetch("SELECT id, zip FROM lake.one ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, "007"), (2, "8"), (3, "9")]


async def test_refusals(rig: Rig, service: str, bucket: Any) -> None:
    told = await rig.run({"refused": "No."}, do="check", source=source(service))
    assert told.error == "No."
    gone = source(service, bucket_name="gone")
    told = await rig.run(LOCAL, do="check", source=gone)
    assert told.error == "There is no bucket gone."
    told = await rig.run(LOCAL, do="check", source=source(service, path_prefix="none"))
    assert told.error == "There is no bucket or folder lake-one/none."
    bucket.put_object(Key="in/one/a?.csv", Body=b"id\n1\n")
    told = await rig.run(LOCAL, do="discover", source=source(service))
    assert told.error == "The file a?.csv cannot be read: its name has one of the signs ? # %."
