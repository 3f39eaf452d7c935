"""Inputs and error types of sources, destinations, jobs, streams and settings."""

import enum

import strawberry
from strawberry.scalars import JSON

from app.graphql.filters import UNSET
from app.graphql.payloads import UserError
from app.ingestion.kinds import ConnectorKind

_VERSION = "Refuse with CONFLICT where it has another version by now."
_PROJECT = "In which project; that of the call where left out."
_CONFIG = "Its settings, as the connector's spec has them; handles stand for stored secrets."
_AS_TEXT = "Note that the caller writes and wants it as a text that holds JSON."
_KEY = "The same key within a day gives the first task."
_WAIT = "How many seconds to wait for the outcome, at most 300; 10 where left out."


@strawberry.enum(description="Faults in inputs about sources, destinations, jobs and streams.")
class SyncErrorCode(enum.Enum):
    """Codes for programs."""

    INVALID = strawberry.enum_value("INVALID", description="A value that cannot be used.")
    NAME_MISSING = strawberry.enum_value("NAME_MISSING", description="A name is needed.")
    NAME_TAKEN = strawberry.enum_value("NAME_TAKEN", description="The name is in use.")
    TYPE_UNKNOWN = strawberry.enum_value("TYPE_UNKNOWN", description="No connector has the type.")
    CONFIG_INVALID = strawberry.enum_value(
        "CONFIG_INVALID", description="Settings that the connector's spec does not allow."
    )
    STREAMS_INVALID = strawberry.enum_value(
        "STREAMS_INVALID", description="A catalog of streams that cannot be read."
    )
    NO_STREAMS = strawberry.enum_value("NO_STREAMS", description="No stream is selected.")
    FREQUENCY_INVALID = strawberry.enum_value(
        "FREQUENCY_INVALID", description="The frequency is neither cron nor words."
    )


@strawberry.type(description="A fault in an input about syncs.")
class SyncError(UserError):
    """A correctable fault."""

    code: SyncErrorCode = strawberry.field(description="What is wrong, for programs.")


@strawberry.input(description="Names one connector.")
class ConnectorBy:
    """How a connector is named."""

    kind: ConnectorKind = strawberry.field(description="Which end it serves.")
    type: str = strawberry.field(description="Its type, such as postgres.")
    connector_version: str | None = strawberry.field(
        default=None, description="Its version; the newest where left out or unknown."
    )


@strawberry.input(description="Names one source; exactly one field.", one_of=True)
class SyncSourceBy:
    """How a source is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="Names one destination; exactly one field.", one_of=True)
class SyncDestinationBy:
    """How a destination is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="Names one job; exactly one field.", one_of=True)
class SyncJobBy:
    """How a job is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By the id that REST shows.")


@strawberry.input(description="Names one task; exactly one field.", one_of=True)
class SyncTaskBy:
    """How a task is named."""

    id: strawberry.ID | None = strawberry.field(default=UNSET, description="By global id.")
    number: int | None = strawberry.field(default=UNSET, description="By number.")
    run_id: str | None = strawberry.field(
        default=UNSET, description="By the key of its run, a UUID."
    )


@strawberry.input(description="A new source.")
class SyncSourceCreateInput:
    """A source's attributes."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    name: str = strawberry.field(description="Its name, of 1 to 100 characters.")
    type: str = strawberry.field(description="Type of its connector, such as postgres.")
    connector_version: str = strawberry.field(description="Version of its connector.")
    config: JSON = strawberry.field(description=_CONFIG)
    config_as_text: bool = strawberry.field(default=False, description=_AS_TEXT)


@strawberry.input(description="Changes of a source; what is left out stays.")
class SyncSourceUpdateInput:
    """Attributes to change."""

    by: SyncSourceBy = strawberry.field(description="The source.")
    name: str | None = strawberry.field(default=UNSET, description="New name.")
    type: str | None = strawberry.field(default=UNSET, description="New type.")
    connector_version: str | None = strawberry.field(default=UNSET, description="New version.")
    config: JSON | None = strawberry.field(default=UNSET, description=_CONFIG)
    config_as_text: bool | None = strawberry.field(default=UNSET, description=_AS_TEXT)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which source to delete.")
class SyncSourceDeleteInput:
    """A source."""

    by: SyncSourceBy = strawberry.field(description="The source.")


@strawberry.input(description="A source to test: a stored one, or settings.")
class SyncSourceTestInput:
    """What to test."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    by: SyncSourceBy | None = strawberry.field(default=None, description="A stored source.")
    type: str | None = strawberry.field(default=None, description="Type of the connector.")
    connector_version: str | None = strawberry.field(default=None, description="Its version.")
    config: JSON | None = strawberry.field(default=None, description=_CONFIG)
    wait_s: int | None = strawberry.field(default=None, description=_WAIT)


@strawberry.input(description="A source whose streams to look for: a stored one, or settings.")
class SyncSourceDiscoverInput:
    """What to look into, and for which job."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    by: SyncSourceBy | None = strawberry.field(default=None, description="A stored source.")
    type: str | None = strawberry.field(default=None, description="Type of the connector.")
    connector_version: str | None = strawberry.field(default=None, description="Its version.")
    config: JSON | None = strawberry.field(default=None, description=_CONFIG)
    job: SyncJobBy | None = strawberry.field(
        default=None, description="The job whose choices are kept."
    )
    job_name: str | None = strawberry.field(
        default=None, description="Name of a new job; destinations are named after it."
    )
    max_threads: int | None = strawberry.field(
        default=None, description="How many streams are looked at side by side."
    )
    wait_s: int | None = strawberry.field(default=None, description=_WAIT)


@strawberry.input(description="A new destination.")
class SyncDestinationCreateInput:
    """A destination's attributes."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    name: str = strawberry.field(description="Its name, of 1 to 100 characters.")
    type: str = strawberry.field(description="Type of its connector, such as iceberg.")
    connector_version: str = strawberry.field(description="Version of its connector.")
    config: JSON = strawberry.field(description=_CONFIG)
    config_as_text: bool = strawberry.field(default=False, description=_AS_TEXT)


@strawberry.input(description="Changes of a destination; what is left out stays.")
class SyncDestinationUpdateInput:
    """Attributes to change."""

    by: SyncDestinationBy = strawberry.field(description="The destination.")
    name: str | None = strawberry.field(default=UNSET, description="New name.")
    type: str | None = strawberry.field(default=UNSET, description="New type.")
    connector_version: str | None = strawberry.field(default=UNSET, description="New version.")
    config: JSON | None = strawberry.field(default=UNSET, description=_CONFIG)
    config_as_text: bool | None = strawberry.field(default=UNSET, description=_AS_TEXT)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which destination to delete.")
class SyncDestinationDeleteInput:
    """A destination."""

    by: SyncDestinationBy = strawberry.field(description="The destination.")


@strawberry.input(description="A destination to test: a stored one, or settings.")
class SyncDestinationTestInput:
    """What to test."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    by: SyncDestinationBy | None = strawberry.field(
        default=None, description="A stored destination."
    )
    type: str | None = strawberry.field(default=None, description="Type of the connector.")
    connector_version: str | None = strawberry.field(default=None, description="Its version.")
    config: JSON | None = strawberry.field(default=None, description=_CONFIG)
    wait_s: int | None = strawberry.field(default=None, description=_WAIT)


@strawberry.input(
    description="A source or destination of a job. By number it is taken as it is. By name it is one "
    "of the same type, changed where its settings differ, or a new one."
)
class SyncEndInput:
    """How a job names its source or destination."""

    number: int | None = strawberry.field(default=None, description="A stored one.")
    name: str | None = strawberry.field(default=None, description="Its name.")
    type: str | None = strawberry.field(default=None, description="Type of its connector.")
    connector_version: str | None = strawberry.field(default=None, description="Its version.")
    config: JSON | None = strawberry.field(default=None, description=_CONFIG)
    config_as_text: bool | None = strawberry.field(default=None, description=_AS_TEXT)


@strawberry.input(description="A new sync job.")
class SyncJobCreateInput:
    """A job's attributes."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    name: str = strawberry.field(description="Its name, of 1 to 100 characters.")
    source: SyncEndInput = strawberry.field(description="What it reads.")
    destination: SyncEndInput = strawberry.field(description="What it writes to.")
    frequency: str | None = strawberry.field(
        default=None,
        description="Cron of 5 to 7 fields in UTC, or words such as 2-hours; empty: when called.",
    )
    streams_config: JSON | None = strawberry.field(
        default=None, description="The catalog: `selected_streams` and `streams`."
    )
    streams_as_text: bool = strawberry.field(default=False, description=_AS_TEXT)
    is_active: bool | None = strawberry.field(
        default=None, description="Whether it may run; it may where left out."
    )
    advanced_settings: JSON | None = strawberry.field(default=None, description="Further settings.")


@strawberry.input(description="Changes of a sync job; what is left out stays.")
class SyncJobUpdateInput:
    """Attributes to change."""

    by: SyncJobBy = strawberry.field(description="The job.")
    name: str | None = strawberry.field(default=UNSET, description="New name.")
    source: SyncEndInput | None = strawberry.field(default=None, description="What it reads.")
    destination: SyncEndInput | None = strawberry.field(
        default=None, description="What it writes to."
    )
    frequency: str | None = strawberry.field(default=UNSET, description="When it runs.")
    streams_config: JSON | None = strawberry.field(default=UNSET, description="New catalog.")
    streams_as_text: bool | None = strawberry.field(default=UNSET, description=_AS_TEXT)
    is_active: bool | None = strawberry.field(default=UNSET, description="Whether it may run.")
    advanced_settings: JSON | None = strawberry.field(
        default=UNSET, description="Further settings."
    )
    difference_streams: JSON | None = strawberry.field(
        default=None,
        description="A catalog of streams whose data is cleared where the job had put it until now.",
    )
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)


@strawberry.input(description="Which job to delete.")
class SyncJobDeleteInput:
    """A job."""

    by: SyncJobBy = strawberry.field(description="The job.")


@strawberry.input(description="Which job to start.")
class SyncJobStartInput:
    """A job."""

    by: SyncJobBy = strawberry.field(description="The job.")
    idempotency_key: str | None = strawberry.field(default=None, description=_KEY)


@strawberry.input(description="Whose sync to cancel.")
class SyncJobCancelInput:
    """A job."""

    by: SyncJobBy = strawberry.field(description="The job.")


@strawberry.input(description="Which job to switch on or off.")
class SyncJobSetActiveInput:
    """A job and its new state."""

    by: SyncJobBy = strawberry.field(description="The job.")
    is_active: bool = strawberry.field(description="Whether it may run.")


@strawberry.input(description="Whose destination to clear.")
class SyncJobClearDestinationInput:
    """A job."""

    by: SyncJobBy = strawberry.field(description="The job.")
    idempotency_key: str | None = strawberry.field(default=None, description=_KEY)


@strawberry.input(description="How far a stream has been read.")
class SyncStreamStateSetInput:
    """A stream and its state."""

    id: strawberry.ID = strawberry.field(description="The stream.")
    state: JSON = strawberry.field(description="Its state, an object that its source understands.")


@strawberry.input(description="Which stream is to be read from its beginning.")
class SyncStreamStateResetInput:
    """A stream."""

    id: strawberry.ID = strawberry.field(description="The stream.")


@strawberry.input(description="Settings of a project's syncs.")
class ProjectSettingsUpdateInput:
    """New settings."""

    project_id: strawberry.ID | None = strawberry.field(default=None, description=_PROJECT)
    webhook_alert_url: str | None = strawberry.field(
        default=None,
        description="Where starts and ends of syncs are told of; null or empty: nowhere.",
    )
