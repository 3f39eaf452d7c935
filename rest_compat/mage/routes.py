"""Every documented path of Mage: what is behind it, or why it is not offered."""

from pathlib import Path

from app.settings import Settings
from rest_compat.dialect import Dialect, NotOffered, Route
from rest_compat.mage import auth, backfills, faults, lists, shape, shape_access, shape_runs
from rest_compat.mage import variables as v
from rest_compat.mage.shape import single

PREFIX = "/api"
PIPELINE = "/api/pipelines/{uuid}"
BLOCK = "/api/pipelines/{uuid}/blocks/{block_uuid}"
SCHEDULE = "/api/pipeline_schedules/{id}"
RUN = "/api/pipeline_runs/{id}"
BLOCK_RUN = "/api/block_runs/{id}"
BACKFILL = "/api/backfills/{id}"

# One line a route: a table that can be read beside the contract.
# fmt: off
PIPELINES = (
    Route("GET", "/api/pipelines", "PipelineList", lists.pipelines, shape.pipelines),
    Route("POST", "/api/pipelines", "PipelineCreate", v.new_pipeline, single("pipeline", shape.pipeline)),
    Route("GET", PIPELINE, "PipelineDetail", v.by_uuid, shape.read_pipeline),
    Route("PUT", PIPELINE, "PipelineUpdate", v.pipeline_changes, single("pipeline", shape.pipeline_detail)),
    Route("DELETE", PIPELINE, "PipelineDelete", v.by_uuid, single("pipeline", shape.pipeline)),
    Route("GET", f"{PIPELINE}/blocks", "BlockList", v.by_uuid, shape.blocks),
    Route("POST", f"{PIPELINE}/blocks", "BlockCreate", v.new_block, single("block", shape.block)),
    Route("GET", BLOCK, "BlockDetail", v.by_block, shape.read_block),
    Route("PUT", BLOCK, "BlockUpdate", v.block_changes, single("block", shape.block)),
    Route("DELETE", BLOCK, "BlockDelete", v.block_deletion, single("block", shape.block)),
    Route("GET", f"{PIPELINE}/variables", "PipelineVariables", v.by_uuid, shape.pipeline_variables),
    Route("GET", f"{PIPELINE}/logs", "PipelineLogs", lists.logs, shape_runs.pipeline_logs),
    Route("GET", f"{PIPELINE}/pipeline_runs", "PipelineRunList", lists.pipeline_runs, shape_runs.runs),
    Route("GET", "/api/tags", "TagList", v.nothing, shape.tags),
)
SCHEDULES = (
    Route("GET", f"{PIPELINE}/pipeline_schedules", "PipelineScheduleList", lists.pipeline_schedules, shape.schedules),
    Route("POST", f"{PIPELINE}/pipeline_schedules", "ScheduleCreate", v.new_schedule, single("pipeline_schedule", shape.schedule)),
    Route("GET", "/api/pipeline_schedules", "ScheduleList", lists.schedules, shape.schedules),
    Route("GET", SCHEDULE, "ScheduleDetail", v.by_number, shape.read_schedule),
    Route("PUT", SCHEDULE, "ScheduleUpdate", v.schedule_changes, single("pipeline_schedule", shape.schedule)),
    Route("DELETE", SCHEDULE, "ScheduleDelete", v.by_number, single("pipeline_schedule", shape.schedule)),
    Route("GET", f"{SCHEDULE}/pipeline_runs", "ScheduleRunList", lists.schedule_runs, shape_runs.runs),
    Route("POST", f"{SCHEDULE}/pipeline_runs", "RunCreate", v.new_run, single("pipeline_run", shape_runs.run)),
    Route("POST", f"{SCHEDULE}/pipeline_runs/{{token}}", "RunCreateByToken", v.token_run, shape_runs.started_run, "none"),
    Route("POST", f"{SCHEDULE}/api_trigger", "RunCreateByToken", v.token_run, shape_runs.started_run, "none"),
)
RUNS = (
    Route("GET", "/api/pipeline_runs", "RunList", lists.runs, shape_runs.runs),
    Route("GET", RUN, "RunDetail", v.by_number, shape_runs.read_run),
    Route("PUT", RUN, "RunCancel", v.by_number, single("pipeline_run", shape_runs.run), when=v.run_action("cancel")),
    Route("PUT", RUN, "RunRetry", v.retry, single("pipeline_run", shape_runs.run), when=v.run_action("retry")),
    Route("PUT", RUN, "RunBase", v.by_number, shape_runs.unchanged_run),
    Route("GET", f"{RUN}/block_runs", "RunStepList", v.by_number, shape_runs.nested_block_runs),
    Route("GET", f"{RUN}/blocks", "RunBlocks", v.by_number, shape.run_blocks),
    Route("GET", f"{RUN}/logs", "RunLogs", v.by_number, shape_runs.run_logs),
    Route("GET", "/api/block_runs", "RunStepList", lists.run_steps, shape_runs.block_runs_of_run, when=lists.of_one_run),
    Route("GET", "/api/block_runs", "StepList", lists.steps, shape_runs.block_runs),
    Route("GET", f"{BLOCK_RUN}/outputs", "StepOutputs", v.by_number, shape_runs.outputs),
    Route("GET", f"{BLOCK_RUN}/logs", "StepLogs", v.by_number, shape_runs.step_logs),
)
BACKFILLS = (
    Route("GET", f"{PIPELINE}/backfills", "PipelineBackfillList", backfills.listed_in_pipeline, backfills.backfills),
    Route("POST", f"{PIPELINE}/backfills", "BackfillCreate", backfills.new, single("backfill", backfills.backfill)),
    Route("GET", "/api/backfills", "BackfillList", backfills.listed, backfills.backfills),
    Route("GET", BACKFILL, "BackfillDetail", backfills.detail, backfills.read),
    Route("PUT", BACKFILL, "BackfillUpdate", backfills.changes, single("backfill", backfills.backfill)),
    Route("DELETE", BACKFILL, "BackfillDelete", v.by_number, single("backfill", backfills.backfill)),
)
ACCESS = (
    Route("POST", "/api/sessions", "SessionCreate", v.login, shape_access.session(auth.sent_token), "key"),
    Route("PUT", "/api/sessions/{any}", "SessionDelete", v.nothing, shape_access.session(auth.sent_token)),
    Route("GET", "/api/oauth_access_tokens", "AccessTokenList", lists.simple_page, shape_access.access_tokens),
    Route("GET", "/api/users", "UserList", lists.simple_page, shape_access.users),
    Route("GET", "/api/users/{id}", "UserDetail", v.by_number, shape_access.read_user),
    Route("GET", "/api/roles", "RoleList", v.nothing, shape_access.roles),
)
# fmt: on

_DISABLED = "The real server refuses it as well: a session is made and ended, never read."
_SETTING = "The graph sets all of a pipeline's variables at once, by PUT of the pipeline."
_USERS = "Users are made and changed over GraphQL; this call is broken in Mage itself."
_ROLES = "The roles of an installation are fixed; a membership gives one of them."
_WORDS = "Tags are words on pipelines and triggers, not objects of their own."
_PROJECTS = "Mage's projects are folders of a server; ours are read over GraphQL."
_BACKFILLS = "A backfill is made of a pipeline: POST /api/pipelines/:uuid/backfills."
NOT_OFFERED = (
    NotOffered("GET", "/api/sessions", _DISABLED),
    NotOffered("GET", "/api/sessions/{any}", _DISABLED),
    NotOffered("DELETE", "/api/sessions/{any}", _DISABLED),
    NotOffered("POST", f"{PIPELINE}/variables", _SETTING),
    NotOffered("DELETE", f"{PIPELINE}/variables/{{name}}", _SETTING),
    NotOffered("DELETE", RUN, "Runs go by retention; a run cannot be deleted by itself yet."),
    NotOffered("GET", BLOCK_RUN, "The real server refuses it as well: read the run's block runs."),
    NotOffered("POST", "/api/users", _USERS),
    NotOffered("PUT", "/api/users/{id}", _USERS),
    NotOffered("DELETE", "/api/users/{id}", _USERS),
    NotOffered("POST", "/api/roles", _ROLES),
    NotOffered("PUT", "/api/roles/{id}", _ROLES),
    NotOffered("DELETE", "/api/roles/{id}", _ROLES),
    NotOffered("POST", "/api/tags", _WORDS),
    NotOffered("PUT", "/api/tags/{id}", _WORDS),
    NotOffered("DELETE", "/api/tags/{id}", _WORDS),
    NotOffered("GET", "/api/projects", _PROJECTS),
    NotOffered("POST", "/api/projects", _PROJECTS),
    NotOffered("PUT", "/api/projects/{id}", _PROJECTS),
    NotOffered("DELETE", "/api/projects/{id}", _PROJECTS),
    NotOffered("POST", "/api/backfills", _BACKFILLS),
)


def dialect(settings: Settings) -> Dialect:
    """Mage's dialect; only its status depends on a setting."""
    status = shape_access.statuses(authentication=settings.access.require_user_authentication)
    open_to_all = tuple(
        Route("GET", path, None, v.nothing, status, "none")
        for path in ("/api/status", "/api/statuses")
    )
    return Dialect(
        name="mage",
        prefix=PREFIX,
        documents=Path(__file__).parent / "documents",
        routes=(*PIPELINES, *SCHEDULES, *RUNS, *BACKFILLS, *ACCESS, *open_to_all),
        not_offered=NOT_OFFERED,
        owns=owns,
        identify=auth.identify_caller,
        faults=faults.answer,
    )


def owns(path: str) -> bool:
    """Everything below /api but /api/v1, which belongs to other dialects."""
    below = path.startswith(f"{PREFIX}/") and path != f"{PREFIX}/"
    return below and path != f"{PREFIX}/v1" and not path.startswith(f"{PREFIX}/v1/")
