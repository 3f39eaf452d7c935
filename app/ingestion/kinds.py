"""The words of syncs."""

import enum

import strawberry


@strawberry.enum(description="Which end of a sync a connector serves.")
class ConnectorKind(enum.Enum):
    """Kinds of connector."""

    SOURCE = strawberry.enum_value("source", description="Data comes from it.")
    DESTINATION = strawberry.enum_value("destination", description="Data goes to it.")


@strawberry.enum(description="What has a name that is unique in its project.")
class SyncEntity(enum.Enum):
    """Kinds of named things."""

    SOURCE = strawberry.enum_value("source", description="A source.")
    DESTINATION = strawberry.enum_value("destination", description="A destination.")
    JOB = strawberry.enum_value("job", description="A sync job.")


@strawberry.enum(description="What a task does.")
class SyncJobType(enum.Enum):
    """Kinds of task."""

    SYNC = strawberry.enum_value("sync", description="It moves data.")
    CLEAR = strawberry.enum_value("clear", description="It clears what was moved.")


@strawberry.enum(description="How a test of a connection went.")
class ConnectionStatus(enum.Enum):
    """Outcomes of a test."""

    SUCCEEDED = strawberry.enum_value("succeeded", description="The settings work.")
    FAILED = strawberry.enum_value("failed", description="They do not; the message says why.")


MODES = ("full_refresh", "incremental", "cdc", "strict_cdc")
"""How a stream is read."""
