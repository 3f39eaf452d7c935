"""Secrets of settings are in no answer, log, audit row, table or message queue."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import GraphQLObjectType, get_named_type
from starlette.applications import Starlette

from app.core import outbox
from app.graphql.schema import build_schema
from app.ingestion.config import secret_names
from app.ingestion.specs import built_in
from tests.app.ingestion.words import (
    DESTINATION_CREATE,
    JOB_CREATE,
    JOB_UPDATE,
    SOURCE_CREATE,
    SOURCE_UPDATE,
    START,
    destination,
    job,
    source,
)
from tests.factories import rows
from tests.factories.team import Team
from tests.graphql.selections import everything
from tests.graphql.test_audit import dump, spellings, written  # noqa: F401  (a fixture)

SCHEMA = build_schema()._schema
CANARY = "canary-7731"
Config = dict[str, Any]


def configs(name: str, value: Any, spec: Mapping[str, Any]) -> Any:
    """A value of a setting that is right, with canaries where it is secret; the last alternative."""
    if spec.get("format") == "password":
        return f"{CANARY}-{name}"
    for word in ("const", "default"):
        if word in spec and not isinstance(spec[word], dict):
            return spec[word]
    if "enum" in spec:
        return spec["enum"][0]
    match spec.get("type"):
        case "object":
            return whole(spec)
        case "array":
            return ["a"] if spec.get("minItems") else []
        case "integer":
            return spec.get("minimum", 1)
        case "boolean":
            return False
    return value


def whole(spec: Mapping[str, Any]) -> Config:
    """Settings with everything that a spec names."""
    if "oneOf" in spec:
        return whole(spec["oneOf"][-1])
    made = {n: configs(n, _text(n), one) for n, one in spec.get("properties", {}).items()}
    for name, branches in spec.get("dependencies", {}).items():
        branch = branches["oneOf"][-1]["properties"]
        chosen = branch[name]
        made[name] = chosen["const"] if "const" in chosen else chosen["enum"][0]
        made |= {n: configs(n, _text(n), one) for n, one in branch.items() if n != name}
    return made


def _text(name: str) -> str:
    if name == "jdbc_url":
        return "jdbc:postgresql://catalog:5432/lake"
    return "http://place:1" if name.endswith(("uri", "url", "endpoint")) else "a"


def canaries(value: Any) -> Iterator[str]:
    """All canaries in a value."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from canaries(item)
    elif isinstance(value, str) and CANARY in value:
        yield value


def documents() -> Iterator[str]:
    """Reads of all that there is of syncs."""
    query = SCHEMA.query_type
    assert query is not None
    for name, field in query.fields.items():
        target = get_named_type(field.type)
        if name.startswith(("sync", "runs", "connectors")) and target.name.endswith("Connection"):
            assert isinstance(target, GraphQLObjectType)
            node = get_named_type(target.fields["nodes"].type)
            yield f"{{ {name} {{ nodes {everything(SCHEMA, node.name, 1)} }} }}"


async def redis_dump() -> bytes:
    """What the message queue holds."""
    client = outbox.redis()
    found = [await client.dump(key) for key in await client.keys("*")]
    return b"\n".join(value for value in found if value)


async def test_no_secret_is_shown_or_kept(
    team: Team,
    app: Starlette,
    written: Callable[[], str],  # noqa: F811
) -> None:
    answers: list[str] = []
    planted: set[str] = set()
    for one in built_in():
        config = whole(one["spec"])
        found = set(canaries(config))
        assert found or one["type"] in ("file",)
        assert {c.removeprefix(f"{CANARY}-") for c in found} <= secret_names(one["spec"])
        planted |= found
        given = {"type": one["type"], "connectorVersion": "v0.9.4", "config": config}
        make, end = (
            (SOURCE_CREATE, "Source")
            if one["kind"] == "source"
            else (DESTINATION_CREATE, "Destination")
        )
        made = await team.editor(make, i={"name": rows.unique("canary"), **given})
        assert made.only["errors"] == [], made.text
        test = f"""mutation($i: Sync{end}TestInput!) {{ sync{end}Test(input: $i) {{
          connection {{ message }} run {{ logs {{ nodes {{ message }} }} }}
          errors {{ message }} }} }}"""
        tested = await team.editor(test, i={**given, "waitS": 0})
        assert tested.only["errors"] == []
        broken = copy.deepcopy(given)
        broken["config"]["max_threads"] = "x"
        wrong = await team.editor(make, i={"name": rows.unique("canary"), **broken})
        answers += [made.text, tested.text, wrong.text]
    config = {**rows.POSTGRES, "password": f"{CANARY}-of-a-job"}
    planted.add(config["password"])
    made = await team.editor(JOB_CREATE, i=job(source=source(config=config)))
    number, held = made.only["job"]["number"], made.only["job"]["source"]
    change = {"by": {"number": held["number"]}, "config": {**held["config"], "host": "b"}}
    answers += [made.text, (await team.editor(SOURCE_UPDATE, i=change)).text]
    answers.append((await team.editor(START, n=number)).text)
    change = {"by": {"number": number}, "destination": destination()}
    answers.append((await team.editor(JOB_UPDATE, i=change)).text)
    answers += [(await team.owner(document)).text for document in documents()]
    stored, queued, logs = await dump(), await redis_dump(), written()
    assert "secret:source:" in "".join(answers) and "sync_source.create" in stored
    for secret in planted:
        for spelling in spellings(secret):
            assert not any(spelling in answer for answer in answers), secret
            assert spelling not in stored and spelling not in logs, secret
            assert spelling.encode() not in queued, secret
