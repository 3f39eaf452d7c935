"""What OLake's routes read, for their documentation; a test compares it with what they do read."""

from rest_compat.described import (
    FLAG,
    INTEGER,
    TEXT,
    Body,
    Described,
    Parameter,
    one_of,
)
from rest_compat.olake import access, archive, auth, ends, jobs, logs, words

_OBJECT = {"description": "An object, or a text that holds one.", "type": ["object", "string"]}
_NUMBER = {"description": "A number, or a text that holds one.", "type": ["integer", "string"]}
_TYPE = Parameter("type", TEXT, "Of the connector.", is_needed=True)
CONNECTOR = (
    _TYPE,
    Parameter("version", TEXT, "The newest without one."),
    Parameter("catalog", TEXT, "Narrow the spec of a lake to one catalog."),
)
_WRITTEN = {"type": "string", "examples": ['{"host": "db.example"}', '{"host": "localhost"}']}
DISCOVER = (
    _TYPE,
    Parameter("version", TEXT, is_needed=True),
    Parameter("config", _WRITTEN, "A JSON object as text.", is_needed=True),
    Parameter("job_name", TEXT),
    Parameter("job_id", {"type": "integer"}, "-1 for a job that is not there yet."),
    Parameter("max_discover_threads", {"type": "integer"}),
)
JOBS = (
    Parameter("source_id", INTEGER),
    Parameter("dest_id", INTEGER),
    Parameter("destination_id", INTEGER),
    Parameter("name", TEXT),
    Parameter("active", FLAG),
    Parameter("state", one_of(words.STATUSES), "Of the last task."),
)
_TASK = {"type": "string", "examples": ["12", "13"]}
LOGS = (
    Parameter("limit", {"type": "integer", "minimum": 1, "maximum": logs.MAX_LIMIT}),
    Parameter("cursor", {"type": "integer"}, "As an answer gave it; -1 for the newest lines."),
    Parameter("direction", one_of(["older", "newer"])),
    Parameter("file_path", _TASK, "The task, rather than that of the path."),
)
FILE = (Parameter("file_path", _TASK, "The task.", is_needed=True),)
_END = {"name": TEXT, "type": TEXT, "version": TEXT, "config": _OBJECT}
_CONNECTOR = {k: v for k, v in _END.items() if k != "name"}
_OF_JOB = {
    "type": "object",
    "properties": {"id": _NUMBER, **_END},
    "description": "By `id`; without one all of name, type, version and config.",
}
_JOB = {
    "name": TEXT,
    "source": _OF_JOB,
    "destination": _OF_JOB,
    "frequency": {"type": ["string", "null"], "description": "Five cron fields, or empty."},
    "activate": {"type": ["boolean", "null"]},
    "advanced_settings": {**_OBJECT, "type": ["object", "string", "null"]},
    "streams_config": {**_OBJECT, "type": ["object", "string", "null"]},
}
_LATER = {"type": ["object", "string", "null"]}
_USER = {"username": TEXT, "email": TEXT, "password": TEXT}

DESCRIBED = Described(
    title="OLake",
    text=(
        "The API of OLake's web UI, v0.9.4. Good answers and failures alike are an object with"
        " `success` and `message`."
    ),
    parameters={
        ends.connector: CONNECTOR,
        ends.of_catalog: CONNECTOR[2:],
        ends.spec: (CONNECTOR[0], CONNECTOR[2]),
        ends.versions_of: CONNECTOR[:1],
        ends.to_discover: DISCOVER,
        jobs.wanted: JOBS,
        jobs.is_light: (Parameter("view", one_of(["light"]), "Without settings and catalogs."),),
        logs.page: LOGS,
        logs.is_onward: LOGS[1:3],
        logs.task_logs: LOGS[1:3],
        logs.log_page: LOGS[1:3],
        archive.wanted: FILE,
        archive.is_probe: (
            Parameter("Range", TEXT, "`bytes=0-0` asks for the first byte only.", "header"),
        ),
        jobs.start: (
            Parameter("Idempotency-Key", TEXT, "The same key gives the first task.", "header"),
        ),
    },
    bodies={
        ends.connector: Body(
            {}, {"type": TEXT, "version": TEXT, "catalog": TEXT}, needed=("type",)
        ),
        ends.new_end: Body({}, _END, needed=tuple(_END)),
        ends.end_changes: Body({}, _END),
        ends.to_test: Body({}, _CONNECTOR, needed=tuple(_CONNECTOR)),
        ends.to_discover: Body(
            {},
            {
                **_CONNECTOR,
                "job_name": TEXT,
                "job_id": _NUMBER,
                "max_discover_threads": _NUMBER,
            },
            needed=tuple(_CONNECTOR),
        ),
        ends.name_sought: Body(
            {},
            {"entity_type": one_of(["job", "source", "destination"]), "name": TEXT},
            needed=("entity_type", "name"),
        ),
        ends.settings_changes: Body({}, {"project_id": _NUMBER, "webhook_alert_url": TEXT}),
        ends.activation: Body({}, {"activate": FLAG}, needed=("activate",)),
        jobs.new_job: Body({}, _JOB, needed=("name", "source", "destination")),
        jobs.job_changes: Body({}, {**_JOB, "difference_streams": _LATER}),
        jobs.new_streams: Body(
            {}, {"updated_streams_config": _OBJECT}, needed=("updated_streams_config",)
        ),
        logs.page: Body({}, {"file_path": _TASK}),
        access.credentials: Body(
            {}, {"username": TEXT, "password": TEXT}, needed=("username", "password")
        ),
        access.newcomer: Body({}, _USER, needed=tuple(_USER)),
        access.new_user: Body({}, _USER, needed=tuple(_USER)),
        access.user_changes: Body({}, {"username": TEXT, "email": TEXT}),
    },
    path={
        "project": {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "enum": list(auth.ALIASES)},
            ],
            "description": "The number of a project, or a word for the caller's default one.",
        },
    },
    security={
        "olake.bearer": {"type": "http", "scheme": "bearer"},
        "olake.cookie": {"type": "apiKey", "in": "cookie", "name": auth.COOKIE},
    },
    needs={"token": ({"olake.bearer": ()}, {"olake.cookie": ()})},
    known={"LogLine.level": tuple(logs.LEVELS)},
    reasons=(
        ("BAD_USER_INPUT", "NAME_TAKEN"),
        ("BAD_USER_INPUT", "CREDENTIALS_INVALID"),
        ("NOT_FOUND", "UNKNOWN_PATH"),
    ),
)
