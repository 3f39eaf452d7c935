"""Sources and destinations, which differ in nothing but their names, and their connectors."""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import Conflict, Invalid, NotFound
from rest_compat.dialect import Answer, Call
from rest_compat.olake.answer import failed, success
from rest_compat.olake.logs import LEVELS, shown_line
from rest_compat.olake.values import (
    an_object,
    flag,
    merged,
    moment,
    path_number,
    row_number,
    text,
    written,
)
from rest_compat.olake.words import STATES

Variables = Callable[[Call], dict[str, Any]]
Shape = Callable[[Any, Call], Any]
TEST_S, DISCOVER_S = 240, 290
"""How long a test and a look for streams are waited for."""


def settings_of(given: Mapping[str, Any], *, needed: bool) -> dict[str, Any]:
    """Name, type, version and config, as the graph calls them; those that were sent."""
    found: dict[str, Any] = {
        "name": text(given, "name", needed=needed),
        **connector_of(given, needed=needed),
    }
    return {name: value for name, value in found.items() if value is not None}


def connector_of(given: Mapping[str, Any], *, needed: bool) -> dict[str, Any]:
    """Type, version and config, with the form that the config came in."""
    type_ = text(given, "type", needed=needed)
    found: dict[str, Any] = {
        "type": type_ and type_.lower(),
        "connectorVersion": text(given, "version", needed=needed),
    }
    if needed or given.get("config") is not None:
        found["config"], found["configAsText"] = an_object(given.get("config"), "config")
    return found


def new_end(call: Call) -> dict[str, Any]:
    """A new source or destination."""
    return {"input": settings_of(call.body, needed=True)}


def end_changes(call: Call) -> dict[str, Any]:
    """What is to change of one."""
    changes = settings_of(call.body, needed=False)
    return {"input": {"by": {"number": path_number(call)}, **changes}}


def to_test(call: Call) -> dict[str, Any]:
    """Settings to test; OLake's web UI never names the entity."""
    return {"input": {**_settings(call.body), "waitS": TEST_S}}


def to_discover(call: Call) -> dict[str, Any]:
    """Settings to look into, and for which job; -1 is a job that is not there yet."""
    given = merged(call)
    threads, job = given.get("max_discover_threads"), row_number(given.get("job_id"))
    sought = {
        **_settings(given),
        "jobName": text(given, "job_name", needed=False) or None,
        "job": None if job is None else {"number": job},
        "maxThreads": row_number(threads),
        "waitS": DISCOVER_S,
    }
    return {"input": sought}


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    found = connector_of(given, needed=True)
    return {name: found[name] for name in ("type", "connectorVersion", "config")}


def connector(kind: str) -> Variables:
    """Which connector of a kind: its type, its version where one is named, a catalog."""

    def named(call: Call) -> dict[str, Any]:
        given = merged(call)
        found = {
            "kind": kind,
            "type": str(text(given, "type")).lower(),
            "version": text(given, "version", needed=False) or None,
        }
        catalog = text(given, "catalog", needed=False)
        return found if not catalog else {**found, "catalog": catalog}

    return named


def of_catalog(call: Call) -> bool:
    """Whether the spec is to be narrowed to one catalog."""
    return bool(merged(call).get("catalog"))


def versions_of(kind: str) -> Variables:
    """Of which type the versions are wanted."""
    return lambda call: {"kind": kind, "type": str(text(merged(call), "type")).lower()}


def spec(data: Any, call: Call) -> dict[str, Any]:
    """A connector's spec; Invalid for an unknown type."""
    found, catalog = data["connector"], merged(call).get("catalog")
    if found is None:
        raise Invalid(f"there is no connector of type {str(merged(call).get('type'))[:50]!r}")
    schema = found["spec"] if "spec" in found else data["narrowed"]
    told = {"type": found["type"], "version": found["version"]}
    if catalog:
        told["catalog"] = catalog
    told["spec"] = {"jsonschema": schema, "uischema": found["uiSpec"]}
    return success("Spec", told)


def versions(data: Any, _: Call) -> dict[str, Any]:
    """The versions of a type, newest first."""
    return success("Versions", {"version": [n["version"] for n in data["connectors"]["nodes"]]})


def item(row: Mapping[str, Any], call: Call, other: str) -> dict[str, Any]:
    """A source or destination with the jobs that use it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "version": row["version"],
        "config": written(row["config"], row["configAsText"], call),
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "created_by": row["created_by"] or "",
        "updated_by": row["updated_by"] or "",
        "jobs": [_job(job, other) for job in row["jobs"]],
    }


def _job(job: Mapping[str, Any], other: str) -> dict[str, Any]:
    end = job["end"] or {"name": "", "type": ""}
    short = {"dest_name": end["name"]} if other == "destination" else {}
    return {
        "id": job["id"],
        "name": job["name"],
        "activate": job["activate"],
        "last_run_time": moment(job["last_run_time"]),
        "last_run_state": STATES.get(job["last_run_state"], ""),
        **short,
        f"{other}_name": end["name"],
        f"{other}_type": end["type"],
    }


def listed(other: str) -> Shape:
    """A list of sources (whose jobs name their destination) or the other way round."""

    def shape(data: Any, call: Call) -> dict[str, Any]:
        return success("Listed", [item(row, call, other) for row in data["ends"]["nodes"]])

    return shape


def detail(other: str) -> Shape:
    """One source or destination; NotFound where there is none."""

    def shape(data: Any, call: Call) -> dict[str, Any]:
        if data["end"] is None:
            raise NotFound("")
        return success("Found", item(data["end"], call, other))

    return shape


def created(noun: str, kind: str) -> Shape:
    """What was sent, as it was sent; the new id is in the headers."""

    def shape(data: Any, call: Call) -> Answer:
        made = data["payload"][noun]["id"]
        headers = {
            "Location": f"/api/v1/project/{call.segments[3]}/{kind}/{made}",
            "X-Resource-Id": str(made),
        }
        return Answer(200, success("Created", dict(call.body)), headers)

    return shape


def echo(_: Any, call: Call) -> dict[str, Any]:
    """What was sent, as it was sent."""
    return success("Updated", dict(call.body))


def deleted(data: Any, _: Call) -> dict[str, Any]:
    """The name of what is gone."""
    return success("Deleted", {"name": data["payload"]["end"]["name"]})


def tested(data: Any, call: Call) -> dict[str, Any]:
    """The outcome of a test: a connection that fails is no failure of the request."""
    found = data["payload"]["connection"]
    status = found["status"] or "FAILED"
    message = found["message"]
    if found["status"] is None:
        message = "The test has not ended in time. Try again, or look at the workers."
    lines = ((data["payload"]["run"] or {}).get("logs") or {"nodes": []})["nodes"]
    told = {name: call.body[name] for name in ("type", "version", "config")}
    result = {"message": message, "status": status}
    logs = [shown_line(line) for line in lines if line["level"] in LEVELS]
    return success("Tested", {**told, "connection_result": result, "logs": logs})


def discovered(wrap: bool) -> Shape:
    """The catalog, bare or as `streams_config`; the connector's error where there is none."""

    def shape(data: Any, _: Call) -> Any:
        found = data["payload"]
        if found["streamsConfig"] is None:
            late = "the look for streams has not ended in time. Try again"
            return failed(500, found["message"] or late)
        catalog = found["streamsConfig"]
        return success("Streams", {"streams_config": catalog} if wrap else catalog)

    return shape


def name_sought(call: Call) -> dict[str, Any]:
    """Which name, and of what."""
    kind = str(text(call.body, "entity_type"))
    if kind not in ("job", "source", "destination"):
        raise Invalid("entity_type must be job, source or destination")
    return {"entity": kind.upper(), "name": text(call.body, "name")}


def name_found(data: Any, call: Call) -> dict[str, Any]:
    """That a name is free; Conflict where it is not."""
    if not data["isFree"]:
        raise Conflict(f"{call.body['entity_type']} name '{call.body['name']}' is not unique")
    return success("The name is free", {"unique": True})


def settings_changes(call: Call) -> dict[str, Any]:
    """The new address of a project's webhook; Invalid where body and path name two projects."""
    named = call.body.get("project_id")
    if named is not None and str(named) != call.path["project"]:
        raise Invalid("project_id is another project than that of the path")
    return {"input": {"webhookAlertUrl": text(call.body, "webhook_alert_url", needed=False)}}


def settings(data: Any, call: Call) -> dict[str, Any]:
    """The settings of a project."""
    found = data["payload"]["settings"] if "payload" in data else data["settings"]
    if found is None:
        raise NotFound("There is no such project.")
    own = {"project_id": call.path["project"], "webhook_alert_url": found["webhook_alert_url"]}
    return success("Settings", {"id": found["id"], **own})


def activation(call: Call) -> dict[str, Any]:
    """Whether a job is to be on."""
    active = flag(call.body, "activate", needed=True)
    return {"input": {"by": {"number": path_number(call)}, "isActive": active}}
