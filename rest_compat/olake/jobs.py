"""Jobs: which are wanted, what is sent about one, what is answered."""

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, cast

from app.core.errors import Invalid, NotFound
from rest_compat.dialect import Call
from rest_compat.olake.answer import success
from rest_compat.olake.ends import settings_of
from rest_compat.olake.values import (
    an_object,
    flag,
    moment,
    path_number,
    row_number,
    text,
    written,
)
from rest_compat.olake.words import JOB_TYPES, STATES, STATUSES

_IN_PATH = re.compile(r'(dest_id|source_id)=("?)(.+)\2')
ENDS = ("source", "destination")


def is_filter(call: Call) -> bool:
    """Whether the id in the path is a filter: the documented `jobs/dest_id="some_id"`."""
    return _IN_PATH.fullmatch(call.path["id"]) is not None


def is_light(call: Call) -> bool:
    """Whether the list is to come without settings and catalogs: `view=light`."""
    return call.query.get("view") == "light"


def wanted(call: Call) -> dict[str, Any]:
    """The jobs that the query, or the filter in the path, asks for."""
    found = _IN_PATH.fullmatch(call.path.get("id", ""))
    in_path = {} if found is None else {found[1]: found[3]}
    given: Mapping[str, str] = ChainMap(in_path, cast(Any, call.query))
    where: dict[str, Any] = {}
    for name, field in (
        ("source_id", "sourceNumber"),
        ("dest_id", "destinationNumber"),
        ("destination_id", "destinationNumber"),
    ):
        if name in given:
            where[field] = {"eq": row_number(given[name].strip('"')) or 0}
    if "name" in given:
        where["name"] = {"eq": given["name"]}
    if "active" in given:
        where["isActive"] = {"eq": given["active"].lower() == "true"}
    if "state" in given:
        if given["state"].lower() not in STATUSES:
            raise Invalid(f"state must be one of {', '.join(STATUSES)}")
        where["lastRunStatus"] = {"eq": STATUSES[given["state"].lower()]}
    return {"where": where}


def new_job(call: Call) -> dict[str, Any]:
    """A new job with its ends."""
    found = {"name": text(call.body, "name"), **_job(call.body)}
    for end in ENDS:
        found[end] = _end(call.body, end)
    return {"input": found}


def job_changes(call: Call) -> dict[str, Any]:
    """What is to change of a job; what is left out stays."""
    found = {"by": {"number": path_number(call)}, **_job(call.body)}
    name = text(call.body, "name", needed=False)
    if name is not None:
        found["name"] = name
    for end in ENDS:
        if call.body.get(end) is not None:
            found[end] = _end(call.body, end)
    if call.body.get("difference_streams"):
        found["differenceStreams"], _ = an_object(
            call.body["difference_streams"], "difference_streams"
        )
    return {"input": found}


def _job(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "frequency": text(given, "frequency", needed=False),
        "isActive": flag(given, "activate"),
    }
    if given.get("advanced_settings") is not None:
        found["advancedSettings"], _ = an_object(given["advanced_settings"], "advanced_settings")
    if given.get("streams_config") not in (None, ""):
        streams, as_text = an_object(given["streams_config"], "streams_config")
        found |= {"streamsConfig": streams, "streamsAsText": as_text}
    return {name: value for name, value in found.items() if value is not None}


def _end(given: Mapping[str, Any], end: str) -> dict[str, Any]:
    """How a job names its source or destination: by id, else by name."""
    named = given.get(end)
    if not isinstance(named, Mapping):
        raise Invalid(f"{end} must be an object")
    if named.get("id"):
        number = row_number(named["id"])
        if number is None:
            raise NotFound(f"There is no such {end}.")
        return {"number": number}
    try:
        return settings_of(named, needed=True)
    except Invalid as fault:
        raise Invalid(f"{end}.{fault.message}") from None


def item(row: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """A job; in a light list without its catalog and the settings of its ends."""
    state = row["last_run_state"]
    catalog = {}
    if "streamsConfig" in row:
        catalog["streams_config"] = written(row["streamsConfig"], row["streamsAsText"], call)
    return {
        "id": row["id"],
        "name": row["name"],
        **{end: _shown_end(row[end], call) for end in ENDS},
        **catalog,
        "frequency": row["frequency"],
        "activate": row["activate"],
        "last_run_time": moment(row["last_run_time"]),
        "last_run_state": STATES.get(state, ""),
        "last_run_type": JOB_TYPES.get(row["last_run_type"], ""),
        "advanced_settings": row["advanced_settings"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "created_by": row["created_by"] or "",
        "updated_by": row["updated_by"] or "",
    }


def _shown_end(end: Mapping[str, Any] | None, call: Call) -> dict[str, Any] | None:
    if end is None:
        return None
    told = {name: end[name] for name in ("id", "name", "type", "version")}
    if "config" not in end:
        return told
    return {**told, "config": written(end["config"], end["configAsText"], call)}


def listed(data: Any, call: Call) -> dict[str, Any]:
    """A list of jobs."""
    return success("Jobs", [item(row, call) for row in data["jobs"]["nodes"]])


def detail(data: Any, call: Call) -> dict[str, Any]:
    """One job; NotFound where there is none."""
    if data["job"] is None:
        raise NotFound("There is no such job.")
    return success("Job", item(data["job"], call))


def updated(data: Any, call: Call) -> dict[str, Any]:
    """What was sent, and whether the job is on."""
    names = ("name", "source", "destination", "frequency", "streams_config")
    told = {name: call.body[name] for name in names if name in call.body}
    return success("Job updated", {**told, "activate": data["payload"]["job"]["activate"]})


def deleted(data: Any, _: Call) -> dict[str, Any]:
    """The name of the job that is gone."""
    return success("Job deleted", {"name": data["payload"]["job"]["name"]})


def activated(data: Any, _: Call) -> dict[str, Any]:
    """Whether the job is on now."""
    return success("Job updated", {"activate": data["payload"]["job"]["activate"]})


def start(call: Call) -> dict[str, Any]:
    """Which job to start; the same key within a day gives the first task."""
    key = call.headers.get("idempotency-key")
    return {"input": {"by": {"number": path_number(call)}, "idempotencyKey": key}}


def done(message: str) -> Callable[[Any, Call], dict[str, Any]]:
    """For calls that answer no data."""
    return lambda _, __: success(message, None)


def cancelled(data: Any, _: Call) -> dict[str, Any]:
    """What was cancelled; the web UI reads `message` of the data."""
    none = data["payload"]["task"] is None
    message = "No sync of the job is running" if none else "The sync is to be cancelled"
    return success(message, {"message": message})


def clearing(data: Any, _: Call) -> dict[str, Any]:
    """Whether the destination is being cleared."""
    if data["job"] is None:
        raise NotFound("There is no such job.")
    return success("Clearing", {"running": bool(data["job"]["tasks"]["nodes"])})


def new_streams(call: Call) -> dict[str, Any]:
    """A job and a catalog to compare with its own."""
    streams, _ = an_object(call.body.get("updated_streams_config"), "updated_streams_config")
    return {"number": path_number(call), "streams": streams}


def difference(data: Any, _: Call) -> dict[str, Any]:
    """What must be cleared before the new catalog is synced; an empty object for nothing."""
    return success("Difference", {"difference_streams": data["difference"] or {}})
