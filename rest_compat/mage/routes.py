"""Every documented path of Mage: what is behind it, or why it is not offered."""

from pathlib import Path

from app.settings import Settings
from rest_compat.dialect import Dialect, NotOffered, Route
from rest_compat.mage import (
    auth,
    backfills,
    faults,
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
)
from rest_compat.mage import variables as v
from rest_compat.mage.described import DESCRIBED
from rest_compat.mage.shape import single

PREFIX = "/api"
PIPELINE = "/api/pipelines/{uuid}"
BLOCK = "/api/pipelines/{uuid}/blocks/{block_uuid}"
VARIABLE = "/api/pipelines/{uuid}/variables/{name}"
SCHEDULE = "/api/pipeline_schedules/{id}"
RUN = "/api/pipeline_runs/{id}"
BLOCK_RUN = "/api/block_runs/{id}"
USER = "/api/users/{id}"
BACKFILL = "/api/backfills/{id}"

# One line a route: a table that can be read beside the contract.
# fmt: off
vp, sp = variables_pipelines, shape_pipelines
one_pipeline = single("pipeline", sp.pipeline)
PIPELINES = (
    Route("GET", "/api/pipelines", "PipelineList", lists.pipelines, sp.pipelines),
    Route("POST", "/api/pipelines", "PipelineCreate", vp.new_pipeline, one_pipeline),
    Route("GET", PIPELINE, "PipelineDetail", v.by_uuid, sp.read_pipeline),
    Route("PUT", PIPELINE, "PipelineRunsCancel", vp.cancellation, sp.pipeline_after_runs, when=vp.run_action("cancelled")),
    Route("PUT", PIPELINE, "PipelineRunsRepeat", vp.repetition, sp.pipeline_after_runs, when=vp.run_action("retry")),
    Route("PUT", PIPELINE, "PipelineRunsRetry", vp.all_failed, sp.pipeline_after_runs, when=vp.run_action("retry_incomplete_block_runs")),
    Route("PUT", PIPELINE, "PipelineUpdate", vp.pipeline_changes, single("pipeline", sp.pipeline_changed)),
    Route("DELETE", PIPELINE, "PipelineDelete", v.by_uuid, one_pipeline),
    Route("GET", f"{PIPELINE}/blocks", "BlockList", v.by_uuid, sp.blocks),
    Route("POST", f"{PIPELINE}/blocks", "BlockCreate", vp.new_block, single("block", sp.block)),
    Route("GET", BLOCK, "BlockDetail", vp.by_block, sp.read_block),
    Route("PUT", BLOCK, "BlockUpdate", vp.block_changes, single("block", sp.block)),
    Route("DELETE", BLOCK, "BlockDelete", vp.block_deletion, single("block", sp.block)),
    Route("GET", "/api/blocks/{path}", "BlockOfAnyPipeline", vp.block_of_any_pipeline, sp.block_of_any_pipeline),
    Route("GET", f"{PIPELINE}/variables", "PipelineVariables", v.by_uuid, sp.pipeline_variables),
    Route("POST", f"{PIPELINE}/variables", "PipelineVariableSet", vp.new_variable, sp.one_variable),
    Route("DELETE", VARIABLE, "PipelineVariableDelete", vp.variable_deletion, sp.one_variable),
    Route("GET", f"{PIPELINE}/logs", "PipelineLogs", lists.logs, shape_logs.pipeline_logs),
    Route("GET", f"{PIPELINE}/pipeline_runs", "PipelineRunList", lists.pipeline_runs, shape_runs.runs),
    Route("GET", "/api/tags", "TagList", v.nothing, sp.tags),
)
vs, ss = variables_schedules, shape_schedules
one_schedule = single("pipeline_schedule", ss.schedule)
SCHEDULES = (
    Route("GET", f"{PIPELINE}/pipeline_schedules", "PipelineScheduleList", lists.pipeline_schedules, ss.schedules),
    Route("POST", f"{PIPELINE}/pipeline_schedules", "ScheduleCreate", vs.new_schedule, one_schedule),
    Route("GET", "/api/pipeline_schedules", "ScheduleList", lists.schedules, ss.schedules),
    Route("POST", "/api/pipeline_schedules", "ScheduleCreate", vs.new_schedule, one_schedule),
    Route("GET", SCHEDULE, "ScheduleDetail", vs.schedule_detail, ss.read_schedule),
    Route("PUT", SCHEDULE, "ScheduleUpdate", vs.schedule_changes, one_schedule),
    Route("DELETE", SCHEDULE, "ScheduleDelete", v.by_number, one_schedule),
    Route("GET", f"{SCHEDULE}/pipeline_runs", "ScheduleRunList", lists.schedule_runs, shape_runs.runs),
    Route("POST", f"{SCHEDULE}/pipeline_runs", "RunCreate", variables_runs.new_run, single("pipeline_run", shape_runs.run)),
    Route("POST", f"{SCHEDULE}/pipeline_runs/{{token}}", "RunCreateByToken", variables_runs.token_run, shape_runs.started_run, "none"),
    Route("POST", f"{SCHEDULE}/api_trigger", "RunCreateByToken", variables_runs.token_run, shape_runs.started_run, "none"),
)
vr, sr = variables_runs, shape_runs
one_run = single("pipeline_run", sr.run)
RUNS = (
    Route("GET", "/api/pipeline_runs", "RunList", lists.runs, sr.runs),
    Route("GET", RUN, "RunDetail", v.by_number, sr.read_run),
    Route("PUT", RUN, "RunCancel", v.by_number, one_run, when=vr.run_action("cancel")),
    Route("PUT", RUN, "RunRetry", vr.retry, one_run, when=vr.run_action("retry")),
    Route("PUT", RUN, "RunBase", v.by_number, sr.unchanged_run),
    Route("DELETE", RUN, "RunDelete", v.by_number, one_run),
    Route("GET", f"{RUN}/block_runs", "RunStepList", v.by_number, sr.nested_block_runs),
    Route("GET", f"{RUN}/blocks", "RunBlocks", v.by_number, sp.run_blocks),
    Route("GET", f"{RUN}/logs", "RunLogs", v.by_number, shape_logs.run_logs),
    Route("GET", "/api/block_runs", "RunStepList", lists.run_steps, sr.block_runs_of_run, when=lists.of_one_run),
    Route("GET", "/api/block_runs", "StepList", lists.steps, sr.block_runs),
    Route("GET", BLOCK_RUN, "StepDetail", v.by_number, sr.read_block_run),
    Route("GET", f"{BLOCK_RUN}/outputs", "StepOutputs", v.by_number, sr.outputs),
    Route("GET", f"{BLOCK_RUN}/logs", "StepLogs", v.by_number, shape_logs.step_logs),
)
BACKFILLS = (
    Route("GET", f"{PIPELINE}/backfills", "PipelineBackfillList", backfills.listed_in_pipeline, backfills.backfills),
    Route("POST", f"{PIPELINE}/backfills", "BackfillCreate", backfills.new, single("backfill", backfills.backfill)),
    Route("GET", "/api/backfills", "BackfillList", backfills.listed, backfills.backfills),
    Route("GET", BACKFILL, "BackfillDetail", backfills.detail, backfills.read),
    Route("PUT", BACKFILL, "BackfillUpdate", backfills.changes, single("backfill", backfills.backfill)),
    Route("DELETE", BACKFILL, "BackfillDelete", v.by_number, single("backfill", backfills.backfill)),
)
va, sa = variables_access, shape_access
one_user = single("user", sa.whole_user)
ACCESS = (
    Route("POST", "/api/sessions", "SessionCreate", va.login, sa.session(auth.sent_token), "key"),
    Route("PUT", "/api/sessions/{any}", "SessionDelete", v.nothing, sa.session(auth.sent_token)),
    Route("GET", "/api/oauth_access_tokens", "AccessTokenList", lists.simple_page, sa.access_tokens),
    Route("GET", "/api/users", "UserList", lists.simple_page, sa.users),
    Route("POST", "/api/users", "UserCreate", va.new_user, one_user),
    Route("GET", USER, "UserDetail", v.by_number, sa.read_user),
    Route("PUT", USER, "UserPassword", va.new_password, one_user, when=va.changes_password),
    Route("PUT", USER, "UserUpdate", va.user_changes, one_user),
    Route("DELETE", USER, "UserDelete", v.by_number, one_user),
    Route("GET", "/api/roles", "RoleList", v.nothing, sa.roles),
    Route("GET", "/api/projects", "ProjectList", lists.simple_page, sa.projects),
)
# fmt: on

_SESSIONS = "A session is made and ended, never read."
_ROLES = "The roles of an installation are fixed: give a user one of them, by roles_new."
_TAGS = "Tags are words on pipelines and triggers: set them there, by the attribute tags."
_PROJECTS = (
    "Projects are made and changed over GraphQL: projectCreate, projectUpdate, projectDelete."
)
_LISTED = "Read the list: it holds all that there is to know of each."
_BACKFILLS = "A backfill is made of a pipeline: POST /api/pipelines/:uuid/backfills."
NOT_OFFERED = (
    NotOffered("GET", "/api/sessions", _SESSIONS, is_documented=True),
    NotOffered("GET", "/api/sessions/{any}", _SESSIONS, is_documented=True),
    NotOffered("DELETE", "/api/sessions/{any}", _SESSIONS, is_documented=True),
    NotOffered("GET", "/api/roles/{id}", _LISTED),
    NotOffered("GET", "/api/tags/{id}", _LISTED),
    NotOffered("GET", "/api/projects/{id}", _LISTED),
    NotOffered("POST", "/api/roles", _ROLES),
    NotOffered("PUT", "/api/roles/{id}", _ROLES),
    NotOffered("DELETE", "/api/roles/{id}", _ROLES),
    NotOffered("POST", "/api/tags", _TAGS),
    NotOffered("PUT", "/api/tags/{id}", _TAGS),
    NotOffered("DELETE", "/api/tags/{id}", _TAGS),
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
        described=DESCRIBED,
    )


def owns(_: str, path: str) -> bool:
    """Everything below /api but what belongs to other dialects."""
    first = path.removeprefix(f"{PREFIX}/").partition("/")[0]
    below = path.startswith(f"{PREFIX}/") and path != f"{PREFIX}/"
    return below and first not in OTHERS


OTHERS = ("v1", "v2", "opt")
"""First parts of paths below /api that are no resources of Mage's."""
