"""Root fields that change sources, destinations, jobs, streams and settings."""

from collections.abc import Mapping
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from app.graphql.context import Info
from app.graphql.payloads import given, mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one
from app.ingestion import tables as t
from app.ingestion.actions import ends, probes
from app.ingestion.inputs import (
    SyncDestinationCreateInput,
    SyncDestinationDeleteInput,
    SyncDestinationTestInput,
    SyncDestinationUpdateInput,
    SyncError,
    SyncSourceCreateInput,
    SyncSourceDeleteInput,
    SyncSourceDiscoverInput,
    SyncSourceTestInput,
    SyncSourceUpdateInput,
)
from app.ingestion.kinds import ConnectionStatus
from app.ingestion.queries import destination_key, job_key, source_key
from app.ingestion.reads import discovered
from app.ingestion.secrets import End
from app.ingestion.types import (
    ProbeRun,
    SyncDestination,
    SyncSource,
)
from app.projects.queries import project_scope

ERRORS = "Faults that the sender of the input can correct."
WAIT_S, LONGEST_WAIT_S = 10, 300


@strawberry.type(description="Answer to syncSourceCreate, syncSourceUpdate and syncSourceDelete.")
class SyncSourcePayload:
    """The source as it is now, or was."""

    source: SyncSource | None = strawberry.field(default=None, description="The source.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the source that is gone."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(
    description="Answer to syncDestinationCreate, syncDestinationUpdate and syncDestinationDelete."
)
class SyncDestinationPayload:
    """The destination as it is now, or was."""

    destination: SyncDestination | None = strawberry.field(
        default=None, description="The destination."
    )
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the destination that is gone."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="How a test of a connection went.")
class ConnectionTest:
    """Outcome of a test."""

    status: ConnectionStatus | None = strawberry.field(
        description="The outcome; null while the test goes on."
    )
    message: str = strawberry.field(description="What is wrong, in words; empty where all is well.")


@strawberry.type(description="Answer to syncSourceTest and syncDestinationTest.")
class ConnectionTestPayload:
    """A test of a connection."""

    connection: ConnectionTest | None = strawberry.field(default=None, description="The outcome.")
    run: ProbeRun | None = strawberry.field(
        default=None, description="The run that tests it; null where no engine can."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to syncSourceDiscover.")
class SyncSourceDiscoverPayload:
    """The streams of a source."""

    streams_config: JSON | None = strawberry.field(
        default=None,
        description="The catalog; null while the look goes on, and where it has failed.",
    )
    message: str | None = strawberry.field(
        default=None, description="Why it has failed, in words; null where it has not."
    )
    run: ProbeRun | None = strawberry.field(
        default=None, description="The run that looks; null where no engine can."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


END_FIELDS = ("name", "type", "connector_version", "config", "config_as_text")
_COLUMNS = {
    "config_as_text": "text_config",
    "streams_config": "streams",
    "streams_as_text": "text_streams",
}


def stored(values: Mapping[str, Any], *nullable: str) -> dict[str, Any]:
    """By the names of columns; a null where none may be is left out."""
    return {_COLUMNS.get(n, n): v for n, v in values.items() if v is not None or n in nullable}


def _wait_s(given: int | None) -> int:
    return WAIT_S if given is None else max(0, min(given, LONGEST_WAIT_S))


async def _tested(info: Info, end: End, key: int | None, input: Any) -> ConnectionTestPayload:
    values = {"id": key, **stored(given(input, "type", "connector_version", "config"))}
    project = project_scope(info, input.project_id)
    probe = await probes.start_probe(info.context.subject, "check", end, project, values)
    if probe.run_id is None:
        failed = ConnectionTest(status=ConnectionStatus.FAILED, message=probe.refusal or "")
        return ConnectionTestPayload(connection=failed)
    outcome = await probes.wait(probe.run_id, _wait_s(input.wait_s))
    run = row("ProbeRun", probe.run_id)
    result = outcome.result or {}
    if outcome.error is None and outcome.result is None:
        return ConnectionTestPayload(connection=ConnectionTest(status=None, message=""), run=run)
    good = outcome.error is None and str(result.get("status")).lower() == "succeeded"
    status = ConnectionStatus.SUCCEEDED if good else ConnectionStatus.FAILED
    message = outcome.error or str(result.get("message") or "")
    return ConnectionTestPayload(connection=ConnectionTest(status=status, message=message), run=run)


@strawberry.type
class SyncMutation:
    """Changes of syncs."""

    @mutation(SyncSourcePayload, SyncError, "Make a source.")
    async def sync_source_create(
        self, info: Info, input: SyncSourceCreateInput
    ) -> SyncSourcePayload:
        """Make a source."""
        project = project_scope(info, input.project_id)
        values = stored(given(input, *END_FIELDS))
        made = await ends.create_end(info.context.subject, "source", project, values)
        return SyncSourcePayload(source=row("SyncSource", made))

    @mutation(
        SyncSourcePayload, SyncError, "Change a source; running syncs of its jobs are cancelled."
    )
    async def sync_source_update(
        self, info: Info, input: SyncSourceUpdateInput
    ) -> SyncSourcePayload:
        """Change a source."""
        values = stored(given(input, *END_FIELDS))
        changed = await ends.update_end(
            info.context.subject, "source", source_key(input.by), values, input.expected_version
        )
        return SyncSourcePayload(source=row("SyncSource", changed))

    @mutation(SyncSourcePayload, SyncError, "Delete a source that no job uses.")
    async def sync_source_delete(
        self, info: Info, input: SyncSourceDeleteInput
    ) -> SyncSourcePayload:
        """Delete a source; the payload shows it as it was."""
        info.context.subject.require_known()
        named = t.sync_sources.c.id == source_key(input.by)
        was = await fetch_one(info, "SyncSource", named, "source")
        await ends.delete_end(info.context.subject, "source", source_key(input.by))
        return SyncSourcePayload(source=was, deleted_id=was.id if was else None)

    @mutation(ConnectionTestPayload, SyncError, "Test whether a source answers.")
    async def sync_source_test(
        self, info: Info, input: SyncSourceTestInput
    ) -> ConnectionTestPayload:
        """Test a source."""
        key = None if input.by is None else source_key(input.by)
        return await _tested(info, "source", key, input)

    @mutation(SyncSourceDiscoverPayload, SyncError, "Look which streams a source has.")
    async def sync_source_discover(
        self, info: Info, input: SyncSourceDiscoverInput
    ) -> SyncSourceDiscoverPayload:
        """Look for streams."""
        subject = info.context.subject
        key = None if input.by is None else source_key(input.by)
        values = {"id": key, **stored(given(input, "type", "connector_version", "config"))}
        project = project_scope(info, input.project_id)
        job = None if input.job is None else job_key(input.job)
        look = await discovered(subject, project, job, input.job_name, input.max_threads)
        probe = await probes.start_probe(subject, "discover", "source", project, values, look.more)
        if probe.run_id is None:
            return SyncSourceDiscoverPayload(message=probe.refusal)
        outcome = await probes.wait(probe.run_id, _wait_s(input.wait_s))
        return SyncSourceDiscoverPayload(
            streams_config=cast(Any, look.catalog(outcome.result)),
            message=outcome.error,
            run=row("ProbeRun", probe.run_id),
        )

    @mutation(SyncDestinationPayload, SyncError, "Make a destination.")
    async def sync_destination_create(
        self, info: Info, input: SyncDestinationCreateInput
    ) -> SyncDestinationPayload:
        """Make a destination."""
        project = project_scope(info, input.project_id)
        values = stored(given(input, *END_FIELDS))
        made = await ends.create_end(info.context.subject, "destination", project, values)
        return SyncDestinationPayload(destination=row("SyncDestination", made))

    @mutation(
        SyncDestinationPayload,
        SyncError,
        "Change a destination; running syncs of its jobs are cancelled.",
    )
    async def sync_destination_update(
        self, info: Info, input: SyncDestinationUpdateInput
    ) -> SyncDestinationPayload:
        """Change a destination."""
        changed = await ends.update_end(
            info.context.subject,
            "destination",
            destination_key(input.by),
            stored(given(input, *END_FIELDS)),
            input.expected_version,
        )
        return SyncDestinationPayload(destination=row("SyncDestination", changed))

    @mutation(SyncDestinationPayload, SyncError, "Delete a destination that no job uses.")
    async def sync_destination_delete(
        self, info: Info, input: SyncDestinationDeleteInput
    ) -> SyncDestinationPayload:
        """Delete a destination; the payload shows it as it was."""
        info.context.subject.require_known()
        named = t.sync_destinations.c.id == destination_key(input.by)
        was = await fetch_one(info, "SyncDestination", named, "destination")
        await ends.delete_end(info.context.subject, "destination", destination_key(input.by))
        return SyncDestinationPayload(destination=was, deleted_id=was.id if was else None)

    @mutation(ConnectionTestPayload, SyncError, "Test whether a destination can be written to.")
    async def sync_destination_test(
        self, info: Info, input: SyncDestinationTestInput
    ) -> ConnectionTestPayload:
        """Test a destination."""
        key = None if input.by is None else destination_key(input.by)
        return await _tested(info, "destination", key, input)
