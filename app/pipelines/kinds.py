"""The words of pipelines: types of pipeline, block and trigger, and what a new block contains."""

import enum

import strawberry


@strawberry.enum(description="What kind of pipeline it is.")
class PipelineType(enum.Enum):
    """Types of pipeline."""

    PYTHON = strawberry.enum_value("python", description="Blocks of code, run as a graph.")
    INTEGRATION = strawberry.enum_value(
        "integration", description="A data integration pipeline; kept, not run."
    )
    STREAMING = strawberry.enum_value(
        "streaming", description="A streaming pipeline; kept, not run."
    )
    PYSPARK = strawberry.enum_value("pyspark", description="A Spark pipeline; kept, not run.")
    DATABRICKS = strawberry.enum_value(
        "databricks", description="A Databricks pipeline; kept, not run."
    )
    EXECUTION_FRAMEWORK = strawberry.enum_value(
        "execution_framework", description="An execution framework; kept, not run."
    )


@strawberry.enum(description="What a block does.")
class BlockType(enum.Enum):
    """Types of block."""

    DATA_LOADER = strawberry.enum_value("data_loader", description="Loads data from somewhere.")
    TRANSFORMER = strawberry.enum_value(
        "transformer", description="Makes new data of its upstream blocks' outputs."
    )
    DATA_EXPORTER = strawberry.enum_value("data_exporter", description="Writes data to somewhere.")
    CUSTOM = strawberry.enum_value("custom", description="Any other code.")
    SENSOR = strawberry.enum_value("sensor", description="Waits for something.")
    CONDITIONAL = strawberry.enum_value(
        "conditional", description="Decides if the block that it is attached to runs."
    )
    CALLBACK = strawberry.enum_value(
        "callback", description="Runs after the block that it is attached to."
    )
    DBT = strawberry.enum_value("dbt", description="A dbt model.")
    SCRATCHPAD = strawberry.enum_value(
        "scratchpad", description="Code that never runs in a pipeline."
    )
    MARKDOWN = strawberry.enum_value("markdown", description="Text.")
    EXTENSION = strawberry.enum_value("extension", description="An extension block.")
    CHART = strawberry.enum_value("chart", description="A chart.")
    GLOBAL_DATA_PRODUCT = strawberry.enum_value(
        "global_data_product", description="Output of another pipeline."
    )


@strawberry.enum(description="What a block is written in.")
class BlockLanguage(enum.Enum):
    """Languages of blocks."""

    PYTHON = strawberry.enum_value("python", description="Python.")
    SQL = strawberry.enum_value("sql", description="SQL.")
    YAML = strawberry.enum_value("yaml", description="YAML.")
    R = strawberry.enum_value("r", description="R.")
    MARKDOWN = strawberry.enum_value("markdown", description="Markdown.")


@strawberry.enum(description="What starts a trigger's runs.")
class TriggerType(enum.Enum):
    """Types of trigger."""

    API = strawberry.enum_value("api", description="Started by a call with its token.")
    TIME = strawberry.enum_value("time", description="Started at times.")
    EVENT = strawberry.enum_value("event", description="Started by an event.")


@strawberry.enum(description="Whether a trigger starts runs.")
class TriggerStatus(enum.Enum):
    """On or off."""

    ACTIVE = strawberry.enum_value("active", description="It starts runs.")
    INACTIVE = strawberry.enum_value("inactive", description="It starts none.")


@strawberry.enum(description="What becomes of a due run while another of its trigger goes on.")
class TriggerOverlap(enum.Enum):
    """Policies of overlap; the setting skip_if_previous_running means SKIP whatever this says."""

    SKIP = strawberry.enum_value(
        "skip", description="It is made and at once cancelled, with the reason overlap."
    )
    QUEUE_ONE = strawberry.enum_value(
        "queue_one", description="It waits; where one waits already no further is made."
    )
    ALLOW = strawberry.enum_value("allow", description="They run side by side.")


@strawberry.enum(description="Which slots a trigger makes up for that nobody looked at in time.")
class CatchUp(enum.Enum):
    """Policies after downtime."""

    LATEST = strawberry.enum_value("latest", description="One run, for the newest missed slot.")
    ALL = strawberry.enum_value(
        "all",
        description="Every slot since the last scheduled run: those in its window, at most the "
        "100 newest, oldest first, one after another unless ALLOW.",
    )
    SKIP = strawberry.enum_value(
        "skip", description="None: a slot more than 60 seconds ago has no run."
    )


@strawberry.enum(description="What has happened to a block last.")
class BlockStatus(enum.Enum):
    """Last fate of a block."""

    NOT_EXECUTED = strawberry.enum_value("not_executed", description="New, from its template.")
    UPDATED = strawberry.enum_value("updated", description="Its code was set.")
    EXECUTED = strawberry.enum_value("executed", description="It ran and succeeded.")
    FAILED = strawberry.enum_value("failed", description="It ran and failed.")


@strawberry.enum(description="What a notification tells of.")
class NotificationEvent(enum.Enum):
    """Words of `alert_on`."""

    TRIGGER_FAILURE = strawberry.enum_value("trigger_failure", description="A run has failed.")
    TRIGGER_SUCCESS = strawberry.enum_value("trigger_success", description="A run has succeeded.")
    TRIGGER_PASSED_SLA = strawberry.enum_value(
        "trigger_passed_sla", description="A run takes longer than its trigger's `sla`."
    )


@strawberry.enum(description="How a notification is sent.")
class NotificationChannel(enum.Enum):
    """Keys of `notification_config`."""

    SLACK = strawberry.enum_value("slack_config", description="A Slack webhook.")
    TEAMS = strawberry.enum_value("teams_config", description="A Microsoft Teams webhook.")
    DISCORD = strawberry.enum_value("discord_config", description="A Discord webhook.")
    GOOGLE_CHAT = strawberry.enum_value("google_chat_config", description="A Google Chat webhook.")
    WEBHOOK = strawberry.enum_value("webhook_config", description="JSON to any address.")
    EMAIL = strawberry.enum_value("email_config", description="E-mail by SMTP.")
    TELEGRAM = strawberry.enum_value("telegram_config", description="Not offered; fails.")
    OPSGENIE = strawberry.enum_value("opsgenie_config", description="Not offered; fails.")


PIPELINE_TYPES: tuple[str, ...] = tuple(str(member.value) for member in PipelineType)
BLOCK_TYPES: tuple[str, ...] = tuple(str(member.value) for member in BlockType)
LANGUAGES: tuple[str, ...] = tuple(str(member.value) for member in BlockLanguage)
TRIGGER_TYPES: tuple[str, ...] = tuple(str(member.value) for member in TriggerType)
RUNNABLE = ("data_loader", "transformer", "data_exporter", "custom", "sensor", "dbt")
"""Block types that get a step in a run."""
ATTACHED = ("callback", "conditional")
"""Block types that belong to another block instead of the graph."""

_TEST = '''

@test
def test_output(output, *args) -> None:
    """The block must produce something."""
    assert output is not None, 'The output is undefined'
'''
_GUARD = """if '{0}' not in globals():
    from mage_ai.data_preparation.decorators import {0}
"""
_GUARD_TEST = """if 'test' not in globals():
    from mage_ai.data_preparation.decorators import test
"""


def _function(decorator: str, signature: str, doc: str, body: str, *, test: bool) -> str:
    guard = _GUARD.format(decorator) + (_GUARD_TEST if test else "")
    code = f'\n\n@{decorator}\ndef {signature}:\n    """{doc}"""\n    {body}\n'
    return guard + code + (_TEST if test else "")


TEMPLATES = {
    "data_loader": _function(
        "data_loader",
        "load_data(*args, **kwargs)",
        "Return the data to load.",
        "return {}",
        test=True,
    ),
    "transformer": _function(
        "transformer",
        "transform(data, *args, **kwargs)",
        "Return new data made of the first upstream block's output.",
        "return data",
        test=True,
    ),
    "data_exporter": _function(
        "data_exporter",
        "export_data(data, *args, **kwargs)",
        "Write the data somewhere.",
        "print(data)",
        test=False,
    ),
    "custom": _function(
        "custom", "transform_custom(*args, **kwargs)", "Return anything.", "return {}", test=True
    ),
    "sensor": _function(
        "sensor",
        "check_condition(*args, **kwargs) -> bool",
        "Return True once the pipeline may go on.",
        "return True",
        test=False,
    ),
    "conditional": _function(
        "condition",
        "evaluate_condition(*args, **kwargs) -> bool",
        "Return False to leave the block out.",
        "return True",
        test=False,
    ),
    "callback": _GUARD.format("callback")
    + """

@callback('success')
def on_success(parent_block_data, **kwargs):
    pass


@callback('failure')
def on_failure(parent_block_data, **kwargs):
    pass
""",
}


def template(block_type: str, language: str) -> str:
    """What a new block contains when nothing was given."""
    return TEMPLATES.get(block_type, "") if language == "python" else ""
