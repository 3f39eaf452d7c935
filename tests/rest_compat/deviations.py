"""Where our answers are meant to differ from a real server's, recording by recording, and why.

What an error without a declared code shows (no stack, a code of its kind) is the same everywhere,
so `replay.py` knows it. `metrics` may hold more than there.
"""

from tests.rest_compat.replay import Deviation

EXAMPLE = "blocks of the example that comes with the real server have never been touched by it"
PLAIN = "a plain text takes the place of an internal one"
REPOSITORY = "folders of the server are nobody's business"
CONTENT = "the content that a block's update sends is applied"
EARLIER_TAGS = "the recorded tags are left from an earlier pass"
AT_ONCE = "a block starts when its upstream blocks are done, not when the scheduler looks"
MERGED = "an event variable called event does not break the run"
STATUS = "a block's status says how it ended last, in whatever run"
LINES = "only what blocks and their runs write is a line of a log"
WAITS = "a run that goes on waits for a worker first"
KEPT = "runs outlive their trigger"
KEY = "the key counts in the query, the body and the header alike"


def _example(row: str) -> tuple[str, ...]:
    return (f"{row}.blocks[].status", f"{row}.blocks[].has_callback", f"{row}.created_at")


def _second_run(row: str) -> tuple[str, ...]:
    """Of a run that failed there at its start."""
    own = ("status", "completed_at", "completed_block_runs_count", "block_runs[]")
    return tuple(f"{row}.{name}" for name in own)


_STATUSES = (
    "$.pipeline.blocks[].status",
    "$.pipeline.blocks[].all_upstream_blocks_executed",
)


def _nameless(exception: str) -> Deviation:
    return Deviation(PLAIN, error="record_invalid", exception=exception)


KEY_ALONE_DEVIATIONS: dict[int, Deviation] = {
    48: Deviation(EXAMPLE, _example("$.pipelines[0]")),
    55: _nameless("A pipeline needs a name."),
    59: _nameless("A pipeline needs a name."),
    69: Deviation(
        f"{EXAMPLE}; unknown types are refused",
        (*_example("$.pipelines[4]"), "$.pipelines[5].type"),
    ),
    85: Deviation("the answer is the copy that was made", key="pipeline"),
    89: Deviation("an unknown resource is not found", error="record_not_found"),
    91: Deviation("a copy knows when it was made", ("$.pipeline.updated_at",)),
    94: Deviation(REPOSITORY, ("$.statuses[0].repo_path_relative",)),
    110: _nameless("A block needs a name."),
    117: Deviation("code belongs to a block of a pipeline", ("$.block.downstream_blocks",)),
    119: Deviation(CONTENT, ("$.block.status",)),
    120: Deviation(CONTENT, ("$.block.status",)),
    133: Deviation(CONTENT, ("$.pipeline.blocks[0].status",)),
    135: Deviation(CONTENT, ("$.pipeline.blocks[0].status",)),
    149: Deviation("a trigger can be made with pipeline_uuid", key="pipeline_schedule"),
    150: Deviation(EARLIER_TAGS, ("$.pipeline_schedules[1].tags",)),
    152: Deviation(EARLIER_TAGS, ("$.pipeline_schedules[0].tags",)),
    156: Deviation(EARLIER_TAGS, ("$.pipeline_schedules[1].tags",)),
    175: _nameless("variables must be an object."),
    181: Deviation(
        f"{AT_ONCE}; {MERGED}", ("$.pipeline_runs[0].", *_second_run("$.pipeline_runs[4]"))
    ),
    210: Deviation(MERGED, ("$.pipeline_runs: ", "$.metadata.count")),
    224: Deviation("it is served", key="pipeline_runs"),
    236: Deviation("it shows the log of the block run", ("$.logs: ",)),
    237: Deviation(
        LINES,
        (
            "$.logs[0].block_run_logs[].content",
            "$.logs[0].pipeline_run_logs",
            "$.logs[0].total_pipeline_run_log_count",
        ),
    ),
    239: Deviation(LINES, ("$.logs[0].block_run_logs[0].content",)),
    240: Deviation("it shows the log of the run", ("$.logs: ",)),
    241: Deviation(STATUS, ("$.blocks[].status", "$.blocks[].all_upstream_blocks_executed")),
    243: Deviation(STATUS, ("$.block.status",)),
    246: Deviation(WAITS, ("$.pipeline_run.started_at", "$.pipeline_run.status"), sometimes=True),
    248: Deviation(WAITS, ("$.pipeline_run.started_at", "$.pipeline_run.status"), sometimes=True),
    249: Deviation(STATUS, _STATUSES),
    252: Deviation(
        f"{AT_ONCE}; of a traceback only the user's part is shown",
        (
            "$.pipeline_run.status",
            "$.pipeline_run.block_runs[].status",
            "$.pipeline_run.block_runs[1].metrics.error.errors",
            "$.pipeline_run.block_runs[1].metrics.error.message",
        ),
    ),
    254: Deviation(AT_ONCE, ("$.pipeline_run.block_runs[].started_at",)),
    260: Deviation(STATUS, _STATUSES),
    266: Deviation(KEPT, ("$.pipeline_runs: ", "$.metadata.count")),
    194: Deviation("triggers go with their pipeline", error="record_not_found"),
    196: Deviation("a list shows the blocks", ("$.pipelines[0].blocks: ",)),
    202: Deviation("tags are words and have no id", ("$.tags[].id",)),
    203: _nameless(
        "Block runs cannot be ordered by 'bogus'. Known: id, block_uuid, created_at, started_at."
    ),
    270: Deviation("unknown types are refused, so the list goes on", key="pipeline_schedules"),
}
SIGNED_IN_DEVIATIONS: dict[int, Deviation] = {
    **{seq: Deviation(EXAMPLE, _example("$.pipelines[0]")) for seq in (14, 16, 18, 20)},
    22: Deviation(f"{KEY}; {EXAMPLE}", _example("$.pipelines[0]"), like=20),
    24: Deviation(
        "a wrong cookie is told like a wrong header", error="invalid_oauth_token", status=401
    ),
    28: Deviation(KEY, ("$.pipeline.name", "$.pipeline.uuid"), like=26),
    29: Deviation(KEY, ("$.pipeline.name", "$.pipeline.uuid"), like=75),
    32: Deviation(f"{KEY}; {CONTENT}", ("$.block.",), like=119),
    34: Deviation(KEY, ("$.pipeline_schedule.",), like=180),
    36: Deviation(REPOSITORY, ("$.statuses[0].repo_path_relative",)),
    39: Deviation("a user can be read", key="user"),
    40: Deviation(
        "only hashes of tokens are stored, so none is shown", ("$.oauth_access_tokens[].token",)
    ),
    41: Deviation("there are more roles than there", ("$.roles", "$.metadata.count")),
    42: Deviation("a user can be made", key="user"),
}
