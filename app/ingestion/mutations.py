"""Root fields that change sources, destinations, jobs, streams and settings."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.graphql.context import Info
from app.graphql.payloads import given, int_key, mutation
from app.graphql.rows import fetch_one
from app.ingestion import tables as t
from app.ingestion.actions import ends, jobs, probes, settings, streams, tasks
from app.ingestion.inputs import (
    ProjectSettingsUpdateInput,
    SyncDestinationCreateInput,
    SyncDestinationDeleteInput,
    SyncDestinationTestInput,
    SyncDestinationUpdateInput,
    SyncEndInput,
    SyncError,
    SyncJobCancelInput,
    SyncJobClearDestinationInput,
    SyncJobCreateInput,
    SyncJobDeleteInput,
    SyncJobSetActiveInput,
    SyncJobStartInput,
    SyncJobUpdateInput,
    SyncSourceCreateInput,
    SyncSourceDeleteInput,
    SyncSourceDiscoverInput,
    SyncSourceTestInput,
    SyncSourceUpdateInput,
    SyncStreamStateResetInput,
    SyncStreamStateSetInput,
)
from app.ingestion.kinds import ConnectionStatus
from app.ingestion.queries import destination_key, job_key, source_key
from app.ingestion.reads import discovered
from app.ingestion.secrets import End
from app.ingestion.types import (
    ProbeRun,
    ProjectSettings,
    SyncDestination,
    SyncJob,
    SyncSource,
    SyncStream,
    SyncTask,
)
from app.projects.queries import project_scope
from app.projects.tables import projects
from app.runs.tables import runs

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


@strawberry.type(
    description="Answer to syncJobCreate, syncJobUpdate, syncJobDelete and syncJobSetActive."
)
class SyncJobPayload:
    """The job as it is now, or was."""

    job: SyncJob | None = strawberry.field(default=None, description="The job.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the job that is gone."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to syncJobStart, syncJobCancel and syncJobClearDestination.")
class SyncTaskPayload:
    """The task as it is now."""

    task: SyncTask | None = strawberry.field(
        default=None, description="The task; null where nothing was there to cancel."
    )
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to syncStreamStateSet and syncStreamStateReset.")
class SyncStreamPayload:
    """The stream as it is now."""

    stream: SyncStream | None = strawberry.field(default=None, description="The stream.")
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="Answer to projectSettingsUpdate.")
class ProjectSettingsPayload:
    """The settings as they are now."""

    settings: ProjectSettings | None = strawberry.field(default=None, description="The settings.")
    errors: list[SyncError] = strawberry.field(default_factory=list, description=ERRORS)


async def _source(info: Info, row_id: int) -> Any:
    return await fetch_one(info, "SyncSource", t.sync_sources.c.id == row_id, "source")


async def _destination(info: Info, row_id: int) -> Any:
    condition = t.sync_destinations.c.id == row_id
    return await fetch_one(info, "SyncDestination", condition, "destination")


async def _job(info: Info, row_id: int) -> Any:
    return await fetch_one(info, "SyncJob", t.sync_jobs.c.id == row_id, "job")


async def _task(info: Info, run_id: UUID | None) -> SyncTaskPayload:
    if run_id is None:
        return SyncTaskPayload()
    return SyncTaskPayload(task=await fetch_one(info, "SyncTask", runs.c.id == run_id, "task"))


async def _run(info: Info, run_id: UUID | None) -> Any:
    if run_id is None:
        return None
    return await fetch_one(info, "ProbeRun", runs.c.id == run_id, "run")


async def _stream(info: Info, row_id: int) -> SyncStreamPayload:
    found = await fetch_one(info, "SyncStream", t.sync_streams.c.id == row_id, "stream")
    return SyncStreamPayload(stream=found)


_END_FIELDS = ("name", "type", "connector_version", "config", "config_as_text")
_JOB_FIELDS = (
    "name",
    "frequency",
    "streams_config",
    "streams_as_text",
    "is_active",
    "advanced_settings",
)
_COLUMNS = {
    "config_as_text": "text_config",
    "streams_config": "streams",
    "streams_as_text": "text_streams",
}


def _stored(values: Mapping[str, Any], *nullable: str) -> dict[str, Any]:
    """By the names of columns; a null where none may be is left out."""
    return {_COLUMNS.get(n, n): v for n, v in values.items() if v is not None or n in nullable}


def _job_values(values: Mapping[str, Any], input: Any) -> dict[str, Any]:
    stored = _stored(values, "advanced_settings")
    for end in ("source", "destination"):
        named: SyncEndInput | None = getattr(input, end)
        if named is not None:
            stored[end] = {"id": named.number, **_stored(given(named, *_END_FIELDS))}
    return stored


def _wait_s(given: int | None) -> int:
    return WAIT_S if given is None else max(0, min(given, LONGEST_WAIT_S))


async def _tested(info: Info, end: End, key: int | None, input: Any) -> ConnectionTestPayload:
    values = {"id": key, **_stored(given(input, "type", "connector_version", "config"))}
    project = project_scope(info, input.project_id)
    probe = await probes.start_probe(info.context.subject, "check", end, project, values)
    if probe.run_id is None:
        failed = ConnectionTest(status=ConnectionStatus.FAILED, message=probe.refusal or "")
        return ConnectionTestPayload(connection=failed)
    outcome = await probes.wait(probe.run_id, _wait_s(input.wait_s))
    run = await _run(info, probe.run_id)
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
        values = _stored(given(input, *_END_FIELDS))
        made = await ends.create_end(info.context.subject, "source", project, values)
        return SyncSourcePayload(source=await _source(info, made))

    @mutation(
        SyncSourcePayload, SyncError, "Change a source; running syncs of its jobs are cancelled."
    )
    async def sync_source_update(
        self, info: Info, input: SyncSourceUpdateInput
    ) -> SyncSourcePayload:
        """Change a source."""
        values = _stored(given(input, *_END_FIELDS))
        changed = await ends.update_end(
            info.context.subject, "source", source_key(input.by), values, input.expected_version
        )
        return SyncSourcePayload(source=await _source(info, changed))

    @mutation(SyncSourcePayload, SyncError, "Delete a source that no job uses.")
    async def sync_source_delete(
        self, info: Info, input: SyncSourceDeleteInput
    ) -> SyncSourcePayload:
        """Delete a source; the payload shows it as it was."""
        info.context.subject.require_known()
        was = await _source(info, source_key(input.by))
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
        values = {"id": key, **_stored(given(input, "type", "connector_version", "config"))}
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
            run=await _run(info, probe.run_id),
        )

    @mutation(SyncDestinationPayload, SyncError, "Make a destination.")
    async def sync_destination_create(
        self, info: Info, input: SyncDestinationCreateInput
    ) -> SyncDestinationPayload:
        """Make a destination."""
        project = project_scope(info, input.project_id)
        values = _stored(given(input, *_END_FIELDS))
        made = await ends.create_end(info.context.subject, "destination", project, values)
        return SyncDestinationPayload(destination=await _destination(info, made))

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
            _stored(given(input, *_END_FIELDS)),
            input.expected_version,
        )
        return SyncDestinationPayload(destination=await _destination(info, changed))

    @mutation(SyncDestinationPayload, SyncError, "Delete a destination that no job uses.")
    async def sync_destination_delete(
        self, info: Info, input: SyncDestinationDeleteInput
    ) -> SyncDestinationPayload:
        """Delete a destination; the payload shows it as it was."""
        info.context.subject.require_known()
        was = await _destination(info, destination_key(input.by))
        await ends.delete_end(info.context.subject, "destination", destination_key(input.by))
        return SyncDestinationPayload(destination=was, deleted_id=was.id if was else None)

    @mutation(ConnectionTestPayload, SyncError, "Test whether a destination can be written to.")
    async def sync_destination_test(
        self, info: Info, input: SyncDestinationTestInput
    ) -> ConnectionTestPayload:
        """Test a destination."""
        key = None if input.by is None else destination_key(input.by)
        return await _tested(info, "destination", key, input)

    @mutation(
        SyncJobPayload, SyncError, "Make a job, and its source and destination where they are new."
    )
    async def sync_job_create(self, info: Info, input: SyncJobCreateInput) -> SyncJobPayload:
        """Make a job."""
        project = project_scope(info, input.project_id)
        values = _job_values(given(input, *_JOB_FIELDS), input)
        made = await jobs.create_job(info.context.subject, project, values)
        return SyncJobPayload(job=await _job(info, made))

    @mutation(SyncJobPayload, SyncError, "Change a job; its running sync is cancelled.")
    async def sync_job_update(self, info: Info, input: SyncJobUpdateInput) -> SyncJobPayload:
        """Change a job."""
        changed = await jobs.update_job(
            info.context.subject,
            job_key(input.by),
            _job_values(given(input, *_JOB_FIELDS), input),
            input.difference_streams,
            input.expected_version,
        )
        return SyncJobPayload(job=await _job(info, changed))

    @mutation(SyncJobPayload, SyncError, "Delete a job; what it has moved stays.")
    async def sync_job_delete(self, info: Info, input: SyncJobDeleteInput) -> SyncJobPayload:
        """Delete a job; the payload shows it as it was."""
        info.context.subject.require_known()
        was = await _job(info, job_key(input.by))
        await jobs.delete_job(info.context.subject, job_key(input.by))
        return SyncJobPayload(job=was, deleted_id=was.id if was else None)

    @mutation(SyncJobPayload, SyncError, "Switch a job on or off; what goes on goes on.")
    async def sync_job_set_active(self, info: Info, input: SyncJobSetActiveInput) -> SyncJobPayload:
        """Switch a job on or off."""
        subject = info.context.subject
        changed = await jobs.set_active(subject, job_key(input.by), input.is_active)
        return SyncJobPayload(job=await _job(info, changed))

    @mutation(
        SyncTaskPayload,
        SyncError,
        "Start a sync. CONFLICT for a job that is off (PAUSED), or has a task that goes on (ACTIVE).",
    )
    async def sync_job_start(self, info: Info, input: SyncJobStartInput) -> SyncTaskPayload:
        """Start a sync."""
        subject, job = info.context.subject, job_key(input.by)
        return await _task(info, await tasks.start_sync(subject, job, input.idempotency_key))

    @mutation(SyncTaskPayload, SyncError, "Cancel the sync of a job.")
    async def sync_job_cancel(self, info: Info, input: SyncJobCancelInput) -> SyncTaskPayload:
        """Cancel a sync."""
        return await _task(info, await tasks.cancel_sync(info.context.subject, job_key(input.by)))

    @mutation(
        SyncTaskPayload,
        SyncError,
        "Clear what a job has put into its destination. CONFLICT as for syncJobStart.",
    )
    async def sync_job_clear_destination(
        self, info: Info, input: SyncJobClearDestinationInput
    ) -> SyncTaskPayload:
        """Clear a destination."""
        subject, job = info.context.subject, job_key(input.by)
        return await _task(info, await tasks.clear_destination(subject, job, input.idempotency_key))

    @mutation(SyncStreamPayload, SyncError, "Say how far a stream has been read.")
    async def sync_stream_state_set(
        self, info: Info, input: SyncStreamStateSetInput
    ) -> SyncStreamPayload:
        """Set a stream's state."""
        key = int_key(input.id, "SyncStream", "stream")
        return await _stream(info, await streams.set_state(info.context.subject, key, input.state))

    @mutation(SyncStreamPayload, SyncError, "Have a stream read from its beginning.")
    async def sync_stream_state_reset(
        self, info: Info, input: SyncStreamStateResetInput
    ) -> SyncStreamPayload:
        """Reset a stream's state."""
        key = int_key(input.id, "SyncStream", "stream")
        return await _stream(info, await streams.reset_state(info.context.subject, key))

    @mutation(ProjectSettingsPayload, SyncError, "Change the settings of a project's syncs.")
    async def project_settings_update(
        self, info: Info, input: ProjectSettingsUpdateInput
    ) -> ProjectSettingsPayload:
        """Change settings."""
        project = project_scope(info, input.project_id)
        await settings.update_settings(info.context.subject, project, input.webhook_alert_url)
        found = await fetch_one(info, "ProjectSettings", projects.c.id == project, "settings")
        return ProjectSettingsPayload(settings=found)
