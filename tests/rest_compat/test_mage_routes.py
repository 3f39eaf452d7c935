"""Mage's route table against its contract and against the schema."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from graphql import build_schema as schema_from_text
from graphql import parse, validate

from app.graphql.execute import InvalidStoredOperation
from app.graphql.schema import build_schema
from app.settings import Settings
from rest_compat.dialect import Dialect
from rest_compat.kernel import load_operations
from rest_compat.mage.routes import dialect, owns

ROOT = Path(__file__).parents[2]
PIPELINE = "/api/pipelines/{uuid}"
SCHEDULE = "/api/pipeline_schedules/{id}"
RUN = "/api/pipeline_runs/{id}"

# Every documented path and its methods.
DOCUMENTED = {
    "/api/pipelines": "GET POST",
    PIPELINE: "GET PUT DELETE",
    f"{PIPELINE}/blocks": "GET POST",
    f"{PIPELINE}/blocks/{{block_uuid}}": "GET PUT DELETE",
    f"{PIPELINE}/pipeline_schedules": "GET POST",
    f"{PIPELINE}/logs": "GET",
    f"{PIPELINE}/variables": "GET POST",
    f"{PIPELINE}/variables/{{name}}": "DELETE",
    f"{PIPELINE}/pipeline_runs": "GET",
    "/api/blocks/{path}": "GET",
    "/api/pipeline_schedules": "GET POST",
    SCHEDULE: "GET PUT DELETE",
    f"{SCHEDULE}/pipeline_runs": "GET POST",
    f"{SCHEDULE}/pipeline_runs/{{token}}": "POST",
    f"{SCHEDULE}/api_trigger": "POST",
    "/api/pipeline_runs": "GET",
    RUN: "GET PUT DELETE",
    f"{RUN}/block_runs": "GET",
    f"{RUN}/blocks": "GET",
    f"{RUN}/logs": "GET",
    "/api/block_runs": "GET",
    "/api/block_runs/{id}": "GET",
    "/api/block_runs/{id}/outputs": "GET",
    "/api/block_runs/{id}/logs": "GET",
    "/api/sessions": "GET POST",
    "/api/sessions/{any}": "GET PUT DELETE",
    "/api/oauth_access_tokens": "GET",
    "/api/status": "GET",
    "/api/statuses": "GET",
    "/api/users": "GET POST",
    "/api/users/{id}": "GET PUT DELETE",
    "/api/roles": "GET POST",
    "/api/roles/{id}": "GET PUT DELETE",
    "/api/tags": "GET POST",
    "/api/tags/{id}": "GET PUT DELETE",
    "/api/projects": "GET POST",
    "/api/projects/{id}": "GET PUT DELETE",
    "/api/backfills": "GET POST",
    "/api/backfills/{id}": "GET PUT DELETE",
    f"{PIPELINE}/backfills": "GET POST",
}
# Documented for the callers of the collection itself: these may never be withheld.
COLLECTION = {
    ("POST", f"{SCHEDULE}/pipeline_runs/{{token}}"),
    ("GET", "/api/pipeline_runs"),
    ("GET", RUN),
    *((method, "/api/pipelines") for method in ("GET", "POST")),
    *((method, PIPELINE) for method in ("GET", "PUT", "DELETE")),
    ("POST", f"{PIPELINE}/blocks"),
    *((method, f"{PIPELINE}/blocks/{{block_uuid}}") for method in ("GET", "PUT", "DELETE")),
    ("GET", "/api/pipeline_schedules"),
    ("POST", f"{PIPELINE}/pipeline_schedules"),
    ("PUT", SCHEDULE),
    ("POST", "/api/sessions"),
}


@pytest.fixture(scope="module")
def mage() -> Dialect:
    """The dialect under test."""
    return dialect(Settings())


def test_every_documented_path_is_served_or_withheld_with_a_reason(mage: Dialect) -> None:
    documented = {(m, path) for path, methods in DOCUMENTED.items() for m in methods.split()}
    served = {(route.method, route.path) for route in mage.routes}
    withheld = {(one.method, one.path) for one in mage.not_offered}
    assert documented - served - withheld == set()
    assert served & withheld == set()
    assert served >= COLLECTION
    assert all(one.reason.endswith(".") for one in mage.not_offered)


def test_of_several_routes_for_one_request_the_last_takes_what_is_left(mage: Dialect) -> None:
    count = Counter((route.method, route.path) for route in mage.routes)
    last = {(route.method, route.path): route for route in mage.routes}
    assert all(last[key].when.__name__ == "always" for key, n in count.items() if n > 1)


def test_stored_documents_are_valid_against_the_committed_schema(mage: Dialect) -> None:
    schema = schema_from_text((ROOT / "schema.graphql").read_text())
    for file in sorted(mage.documents.glob("*.graphql")):
        assert validate(schema, parse(file.read_text())) == [], file.name


def test_server_does_not_start_with_a_wrong_stored_document(mage: Dialect, tmp_path: Path) -> None:
    for file in mage.documents.glob("*.graphql"):
        (tmp_path / file.name).write_text(file.read_text())
    broken = replace(mage, documents=tmp_path)
    schema = build_schema()
    load_operations(broken, schema)
    pipelines = tmp_path / "pipelines.graphql"
    good = pipelines.read_text()
    pipelines.write_text(good.replace("downstreamBlocks", "downStreamBlocks"))
    with pytest.raises(InvalidStoredOperation, match=r"mage/pipelines.graphql:\d+: Cannot query"):
        load_operations(broken, schema)
    pipelines.write_text(good.replace("query TagList", "query TagLists"))
    with pytest.raises(InvalidStoredOperation, match="the operation TagList"):
        load_operations(broken, schema)
    pipelines.write_text(good + "query Idle { __typename }")
    with pytest.raises(InvalidStoredOperation, match="no route uses the operation Idle"):
        load_operations(broken, schema)


OTHERS = [
    "/api/v1",
    "/api/v1/users",
    "/api/v2/x",
    "/api/opt/v1/x",
    "/api",
    "/api/",
    "/v2/graphql",
    "/",
]


@pytest.mark.parametrize("path", OTHERS)
def test_paths_of_others_are_left_to_them(path: str) -> None:
    assert not owns("GET", path)
