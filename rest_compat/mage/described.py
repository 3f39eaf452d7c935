"""What Mage's routes read, for their documentation; a test compares it with what they do read."""

from rest_compat.described import (
    FLAG,
    INTEGER,
    INTEGERS,
    NUMBER,
    TEXT,
    TEXTS,
    Body,
    Described,
    Parameter,
    one_of,
    some_of,
)
from rest_compat.mage import (
    backfills,
    lists,
    shape_access,
    shape_logs,
    shape_pipelines,
    shape_runs,
    shape_schedules,
    variables_access,
    variables_pipelines,
    variables_runs,
    variables_schedules,
    words,
)
from rest_compat.openapi.seen import FreeList, FreeObject

_COMMAS = "Several are separated by commas."
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
PAGE = (
    Parameter("_limit", _NUMBER, "How many rows, at most 10,000."),
    Parameter("_offset", _NUMBER, "How many rows to leave out before them."),
)
LIMIT = PAGE[:1]
PERIOD = (
    Parameter("start_timestamp", NUMBER, "From this moment on, in unix seconds."),
    Parameter("end_timestamp", NUMBER, "Up to this moment, in unix seconds."),
)
_ORDER = "Keys such as `-{0}` or `{0} desc`."


def _either(name: str, text: str = "") -> tuple[Parameter, Parameter]:
    """A list parameter that may be named with and without brackets."""
    return Parameter(name, TEXT, f"{text} {_COMMAS}".strip()), Parameter(f"{name}[]", TEXTS, text)


def _ids(name: str, text: str = "") -> tuple[Parameter, Parameter]:
    return Parameter(name, INTEGER, text), Parameter(f"{name}[]", INTEGERS, text)


PIPELINES = (
    Parameter("search", TEXT, "Part of the uuid."),
    Parameter("type", TEXT, _COMMAS),
    Parameter("type[]", TEXTS),
    Parameter("tag[]", TEXTS, "Any of these tags."),
    Parameter("include_schedules", FLAG, "Add the triggers of each pipeline."),
    Parameter("status[]", some_of(lists.PIPELINE_STATUSES), "Needs `include_schedules`."),
    Parameter("_order_by[]", TEXTS, _ORDER.format("created_at")),
    *PAGE,
)
SCHEDULES = (
    Parameter("schedule_type[]", some_of(words.TRIGGER_TYPES)),
    Parameter("status[]", some_of(words.TRIGGER_STATUSES)),
    Parameter("schedule_interval[]", TEXTS),
    Parameter("tag[]", TEXTS, "Any of these tags."),
    Parameter("global_data_product_uuid"),
    Parameter("order_by", one_of(lists.SCHEDULE_ORDERS)),
    *PAGE,
)
RUNS = (
    Parameter("status", one_of([*words.RUN_STATUSES, lists.LAST_FAILED]), _COMMAS),
    Parameter("status[]", some_of([*words.RUN_STATUSES, lists.LAST_FAILED])),
    *_either("pipeline_uuid"),
    Parameter("pipeline_tag[]", TEXTS, "Any of these tags of the pipeline."),
    Parameter("pipeline_type"),
    Parameter("backfill_id", INTEGER),
    *PERIOD,
    *_either("order_by", _ORDER.format("execution_date")),
    Parameter("include_pipeline_type", FLAG),
    Parameter("include_pipeline_tags", FLAG),
    Parameter("disable_retries_grouping", FLAG, "Do not add runs about the moment of the last."),
    *PAGE,
)
BLOCK_RUNS = (
    *_either("block_uuid"),
    Parameter("status", one_of(words.STEP_STATUSES), _COMMAS),
    Parameter("status[]", some_of(words.STEP_STATUSES)),
    Parameter("pipeline_uuid"),
    *_either("order_by", _ORDER.format("started_at")),
    *PAGE,
)
OF_RUN = (Parameter("pipeline_run_id", INTEGER, "The block runs of this run, all of them."),)
LOGS = (
    *_ids("pipeline_run_id"),
    *_ids("pipeline_schedule_id"),
    *_ids("block_run_id"),
    *_either("block_uuid"),
    *PERIOD,
)
SHOWN_LOGS = (
    *_either("block_uuid", "Lines of blocks whose uuid begins so."),
    Parameter("_limit", _NUMBER, "How many files, at most 20."),
)
_KEY = (Parameter("Idempotency-Key", TEXT, "The same key gives the first run.", "header"),)
AVERAGE = (Parameter("_format", one_of(["with_runtime_average"])),)
_OBJECT = {"type": ["object", "null"]}
PIPELINE = variables_pipelines.PIPELINE
_BLOCKS = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "properties": {
            "uuid": TEXT,
            "upstream_blocks": TEXTS,
            "content": {**TEXT, "description": "Read with `update_content=true`."},
        },
    },
}
_RUNS = {"type": "array", "items": {"type": "object", "properties": {"id": INTEGER}}}
USER = {k: v for k, v in variables_access.USER.items() if k != "username"}
_PASSWORDS = {"password": TEXT, "password_confirmation": TEXT}
_ROLES = {"type": "array", "maxItems": 1, "items": {}, "description": "The id of a role."}
SCHEDULE = variables_schedules.SCHEDULE
_TABLE = {"columns": FreeList(), "rows": FreeList(), "shape": FreeList()}

DESCRIBED = Described(
    title="Mage",
    text=(
        "The API of Mage 0.9.79. A failure is told with HTTP 200 and an object `error`; with"
        " `_http_error_codes=true` its code is the status as well."
    ),
    parameters={
        lists.simple_page: PAGE,
        lists.pipelines: PIPELINES,
        shape_pipelines.pipelines: LIMIT,
        lists.schedules: SCHEDULES,
        lists.pipeline_schedules: SCHEDULES,
        lists.runs: (*RUNS, Parameter("include_pipeline_uuids", FLAG)),
        lists.schedule_runs: RUNS,
        lists.pipeline_runs: RUNS,
        shape_runs.runs: RUNS,
        lists.of_one_run: OF_RUN,
        lists.run_steps: OF_RUN,
        shape_runs.block_runs_of_run: (Parameter("order_by"), *PAGE),
        lists.steps: BLOCK_RUNS,
        lists.logs: LOGS,
        shape_logs.pipeline_logs: (*LOGS[4:6], *SHOWN_LOGS),
        shape_logs.run_logs: SHOWN_LOGS,
        shape_logs.step_logs: SHOWN_LOGS,
        shape_runs.nested_block_runs: PAGE,
        shape_runs.read_run: (Parameter("_format", one_of(["with_basic_details"])),),
        shape_pipelines.blocks: (Parameter("block_uuid[]", TEXTS), *PAGE),
        shape_pipelines.run_blocks: PAGE,
        shape_pipelines.tags: PAGE,
        shape_access.roles: PAGE,
        variables_schedules.schedule_detail: AVERAGE,
        shape_schedules.read_schedule: AVERAGE,
        variables_pipelines.block_deletion: (
            Parameter("force", FLAG, "Delete it although others depend on it."),
        ),
        variables_pipelines.pipeline_changes: (
            Parameter("update_content", FLAG, "Take the code of `blocks` as well."),
        ),
        backfills.listed: (Parameter("pipeline_uuid"), *PAGE),
        backfills.listed_in_pipeline: PAGE,
        backfills.detail: (Parameter("include_preview_runs", FLAG, "Add `pipeline_run_dates`."),),
        backfills.read: PAGE,
        variables_runs.new_run: _KEY,
        variables_runs.token_run: _KEY,
    },
    bodies={
        variables_pipelines.new_pipeline: Body(
            {
                **{name: PIPELINE[name] for name in variables_pipelines.NEW_PIPELINE},
                "clone_pipeline_uuid": "cloneOf",
            },
            wrapper="pipeline",
        ),
        variables_pipelines.pipeline_changes: Body(
            PIPELINE,
            {
                "status": {
                    **one_of(["active", "inactive", *variables_pipelines.RUN_ACTIONS]),
                    "description": "Of all triggers; or what to do with runs of the pipeline.",
                },
                "blocks": _BLOCKS,
                "pipeline_runs": {**_RUNS, "description": "Which runs to cancel or to repeat."},
                "pipeline_schedule_id": {**INTEGER, "description": "Whose runs to cancel."},
            },
            wrapper="pipeline",
        ),
        variables_pipelines.new_block: Body(variables_pipelines.NEW_BLOCK, wrapper="block"),
        variables_pipelines.block_changes: Body(variables_pipelines.BLOCK, wrapper="block"),
        variables_pipelines.new_variable: Body(
            {"value": "value"}, {"name": TEXT}, wrapper="variable", needed=("name",)
        ),
        variables_schedules.new_schedule: Body(
            {**SCHEDULE, "global_data_product_uuid": "globalDataProductUuid"},
            {"pipeline_uuid": {**TEXT, "description": "Where the path names no pipeline."}},
            wrapper="pipeline_schedule",
        ),
        variables_schedules.schedule_changes: Body(
            SCHEDULE, {"rotate_token": FLAG}, wrapper="pipeline_schedule"
        ),
        variables_runs.new_run: Body({}, {"variables": _OBJECT}, wrapper="pipeline_run"),
        variables_runs.token_run: Body(
            {}, {"variables": _OBJECT}, wrapper="pipeline_run", is_open=True
        ),
        variables_runs.retry: Body(
            {"from_block_uuid": "fromBlock"},
            {"pipeline_run_action": one_of(["retry_blocks"]), "status": one_of(["cancelled"])},
            wrapper="pipeline_run",
        ),
        backfills.new: Body(backfills.ATTRIBUTES, wrapper="backfill"),
        backfills.changes: Body({**backfills.ATTRIBUTES, "status": "status"}, wrapper="backfill"),
        variables_access.login: Body(
            {},
            {"email": TEXT, "username": TEXT, "password": TEXT},
            wrapper="session",
            needed=("password",),
        ),
        variables_access.new_user: Body(
            USER,
            {"username": TEXT, **_PASSWORDS, "roles_new": _ROLES},
            wrapper="user",
            needed=("username", "password"),
        ),
        variables_access.user_changes: Body(
            variables_access.USER, {"roles_new": _ROLES}, wrapper="user"
        ),
        variables_access.new_password: Body(
            {}, {**_PASSWORDS, "password_current": TEXT}, wrapper="user", needed=("password",)
        ),
    },
    common=(Parameter("_http_error_codes", FLAG, "Give the code of a failure as HTTP status."),),
    security={
        "mage.key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
        "mage.keyInQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
        "mage.token": {"type": "apiKey", "in": "header", "name": "OAUTH-TOKEN"},
        "mage.bearer": {"type": "http", "scheme": "bearer"},
        "mage.cookie": {"type": "apiKey", "in": "cookie", "name": "oauth_token"},
    },
    needs={
        "key": ({"mage.key": ()}, {"mage.keyInQuery": ()}),
        "token": (
            {"mage.key": (), "mage.token": ()},
            {"mage.key": (), "mage.bearer": ()},
            {"mage.key": (), "mage.cookie": ()},
            {"mage.key": ()},
            {"mage.keyInQuery": ()},
        ),
    },
    word=str.lower,
    known={
        "StepOutput.sample": (_TABLE, {"text": FreeObject()}, None),
        "Trigger.lastRunStatus": (*(word.lower() for word in words.RUN_WORDS), None),
    },
    reasons=(
        ("UNAUTHENTICATED", "invalid_api_key"),
        ("UNAUTHENTICATED", "expired_oauth_token"),
        ("UNAUTHENTICATED", "trigger_token"),
        ("FORBIDDEN", "FOREIGN_PAGE"),
        ("NOT_FOUND", "BLOCK_UNKNOWN"),
        ("NOT_FOUND", "UNKNOWN_PATH"),
        ("BAD_USER_INPUT", "CREDENTIALS_INVALID"),
        ("BAD_USER_INPUT", "BLOCK_UNKNOWN"),
        ("BAD_USER_INPUT", "NAME_MISSING"),
    ),
)
