"""Every path of OLake's API and of its web UI, and what is behind it."""

from pathlib import Path

from app.settings import Settings
from rest_compat.dialect import Dialect, Route
from rest_compat.olake import access, answer, archive, auth, ends, jobs, logs
from rest_compat.olake import values as v
from rest_compat.olake.described import DESCRIBED

API = "/api/v1"
P = "/api/v1/project/{project}"
JOB = f"{P}/jobs/{{id}}"
TASK = f"{JOB}/tasks/{{task}}/logs"
TOP = ("/login", "/signup", "/auth", "/auth/check", "/health", "/telemetry-id")
PAGES = ("/login", "/signup")
"""Paths whose GET is a page of a web UI; only their POST is ours."""
VERSION = "v0.9.4"
"""The contract that is kept: of OLake, not of this program."""
SLOW_S = {"test": ends.TEST_S + 10.0, "discover": ends.DISCOVER_S + 10.0, "spec": 60.0}


# One line a route: a table that can be read beside the contract.
# fmt: off
def _of_end(kind: str, noun: str, other: str) -> tuple[Route, ...]:
    one, word = f"{P}/{kind}/{{id}}", noun.upper()
    spec, versions = ends.connector(word), ends.versions_of(word)
    return (
        *(Route(m, f"{P}/{kind}/spec", "ConnectorSpecOfCatalog", spec, ends.spec, when=ends.of_catalog, timeout_s=SLOW_S["spec"]) for m in ("GET", "POST")),
        *(Route(m, f"{P}/{kind}/spec", "ConnectorSpec", spec, ends.spec, timeout_s=SLOW_S["spec"]) for m in ("GET", "POST")),
        Route("GET", f"{P}/{kind}/versions", "ConnectorVersions", versions, ends.versions),
        Route("POST", f"{P}/{kind}/test", f"{noun}Test", ends.to_test, ends.tested, timeout_s=SLOW_S["test"]),
        Route("POST", f"{P}/{kind}", f"{noun}Create", ends.new_end, ends.created("end", kind)),
        Route("GET", f"{P}/{kind}", f"{noun}List", v.nothing, ends.listed(other)),
        Route("GET", one, f"{noun}Detail", v.by_path, ends.detail(other)),
        Route("PUT", one, f"{noun}Update", ends.end_changes, ends.echo),
        Route("DELETE", one, f"{noun}Delete", v.by_path, ends.deleted),
    )


def _pages(method: str, path: str, shape: ends.Shape) -> tuple[Route, ...]:
    return (
        Route(method, path, "TaskLogsOnward", logs.page, shape, when=logs.is_onward),
        Route(method, path, "TaskLogs", logs.page, shape),
    )


ENDS = (
    *_of_end("sources", "Source", "destination"),
    *_of_end("destinations", "Destination", "source"),
    *(Route(m, f"{P}/source/streams", "SourceDiscover", ends.to_discover, ends.discovered(wrap=True), timeout_s=SLOW_S["discover"]) for m in ("GET", "POST")),
    Route("POST", f"{P}/sources/streams", "SourceDiscover", ends.to_discover, ends.discovered(wrap=False), timeout_s=SLOW_S["discover"]),
    Route("POST", f"{P}/check-unique", "NameIsFree", ends.name_sought, ends.name_found),
    Route("GET", f"{P}/settings", "Settings", v.nothing, ends.settings),
    Route("PUT", f"{P}/settings", "SettingsUpdate", ends.settings_changes, ends.settings),
)
JOBS = (
    Route("POST", f"{P}/jobs", "JobCreate", jobs.new_job, ends.created("job", "jobs")),
    Route("GET", f"{P}/jobs", "JobListLight", jobs.wanted, jobs.listed, when=jobs.is_light),
    Route("GET", f"{P}/jobs", "JobList", jobs.wanted, jobs.listed),
    Route("GET", JOB, "JobList", jobs.wanted, jobs.listed, when=jobs.is_filter),
    Route("GET", JOB, "JobDetail", v.by_path, jobs.detail),
    Route("PUT", JOB, "JobUpdate", jobs.job_changes, jobs.updated, timeout_s=29),
    Route("DELETE", JOB, "JobDelete", v.by_path, jobs.deleted),
    Route("POST", f"{JOB}/sync", "JobStart", jobs.start, jobs.done("Sync started")),
    Route("POST", f"{JOB}/activate", "JobSetActive", ends.activation, jobs.activated),
    *(Route(m, f"{JOB}/cancel", "JobCancel", v.by_path, jobs.cancelled) for m in ("GET", "POST")),
    Route("POST", f"{JOB}/clear-destination", "JobClear", v.by_path, jobs.done("Clearing started")),
    Route("GET", f"{JOB}/clear-destination", "JobIsClearing", v.by_path, jobs.clearing),
    *(Route("POST", f"{JOB}/{path}", "StreamDifference", jobs.new_streams, jobs.difference, timeout_s=29) for path in ("stream-difference", "difference-streams")),
    Route("GET", f"{JOB}/tasks", "TaskList", v.by_path, logs.tasks),
    *_pages("GET", f"{JOB}/task/{{task}}/logs", logs.task_logs),
    *_pages("GET", TASK, logs.task_logs),
    *_pages("POST", TASK, logs.log_page),
    Route("GET", f"{JOB}/logs/download", "TaskProbe", archive.wanted, archive.first_byte, when=archive.is_probe),
    Route("GET", f"{JOB}/logs/download", "TaskArchive", archive.wanted, archive.packed, timeout_s=60),
)
ACCESS = (
    Route("POST", "/login", "SessionCreate", access.credentials, access.signed_in, "none"),
    Route("POST", "/signup", "SignUp", access.newcomer, access.signed_up, "none"),
    Route("GET", "/auth", "Me", v.nothing, access.me),
    Route("GET", "/auth/check", "Me", v.nothing, access.me),
    Route("GET", f"{API}/users", "UserList", v.nothing, access.users),
    Route("POST", f"{API}/users", "UserCreate", access.new_user, access.user),
    Route("PUT", f"{API}/users/{{id}}", "UserUpdate", access.user_changes, access.user),
    Route("DELETE", f"{API}/users/{{id}}", "UserDelete", v.by_path, access.no_user),
    Route("GET", f"{API}/platform/releases", None, v.nothing, access.releases),
    Route("GET", f"{API}/platform/opt/status", None, v.nothing, access.optimization),
    Route("GET", "/health", None, v.nothing, access.health, "none"),
    Route("GET", "/telemetry-id", None, v.nothing, access.telemetry(VERSION), "none"),
)
# fmt: on


def dialect(settings: Settings) -> Dialect:
    """OLake's surface, as the settings have it."""
    return Dialect(
        name="olake",
        prefix="",
        documents=Path(__file__).parent / "documents",
        routes=(*ENDS, *JOBS, *ACCESS),
        not_offered=(),
        owns=owns,
        identify=auth.identify_caller,
        faults=answer.fault,
        wrong_method=answer.WRONG_METHOD,
        described=DESCRIBED,
    )


def owns(method: str, path: str) -> bool:
    """OLake's own top-level calls, and what is below /api/v1 without a slash at its end.

    With one it is DEEP's, as are the leads of its projects.
    """
    if path in TOP:
        return method != "GET" or path not in PAGES
    if not path.startswith(f"{API}/") or path.endswith("/"):
        return False
    parts = path.split("/")
    return not (
        parts[3:4] == ["project"] and parts[4:5] and parts[4].isdigit() and parts[5:6] == ["leads"]
    )
