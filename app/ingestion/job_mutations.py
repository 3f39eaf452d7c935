"""Root fields that change jobs, their tasks and streams, and settings."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry

from app.graphql.context import Info
from app.graphql.payloads import given, int_key, mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one
from app.ingestion import tables as t
from app.ingestion.actions import jobs, settings, streams, tasks
from app.ingestion.inputs import (
    ProjectSettingsUpdateInput,
    SyncEndInput,
    SyncError,
    SyncJobCancelInput,
    SyncJobClearDestinationInput,
    SyncJobCreateInput,
    SyncJobDeleteInput,
    SyncJobSetActiveInput,
    SyncJobStartInput,
    SyncJobUpdateInput,
    SyncStreamStateResetInput,
    SyncStreamStateSetInput,
)
from app.ingestion.mutations import END_FIELDS, ERRORS, stored
from app.ingestion.queries import job_key
from app.ingestion.types import ProjectSettings, SyncJob, SyncStream, SyncTask
from app.projects.queries import project_scope


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


def _task(run_id: UUID | None) -> SyncTaskPayload:
    return SyncTaskPayload(task=row("SyncTask", run_id))


def _stream(row_id: int) -> SyncStreamPayload:
    return SyncStreamPayload(stream=row("SyncStream", row_id))


_JOB_FIELDS = (
    "name",
    "frequency",
    "streams_config",
    "streams_as_text",
    "is_active",
    "advanced_settings",
)


def _job_values(values: Mapping[str, Any], input: Any) -> dict[str, Any]:
    columns = stored(values, "advanced_settings")
    for end in ("source", "destination"):
        named: SyncEndInput | None = getattr(input, end)
        if named is not None:
            columns[end] = {"id": named.number, **stored(given(named, *END_FIELDS))}
    return columns


@strawberry.type
class SyncJobMutation:
    """Changes of jobs."""

    @mutation(
        SyncJobPayload, SyncError, "Make a job, and its source and destination where they are new."
    )
    async def sync_job_create(self, info: Info, input: SyncJobCreateInput) -> SyncJobPayload:
        """Make a job."""
        project = project_scope(info, input.project_id)
        values = _job_values(given(input, *_JOB_FIELDS), input)
        made = await jobs.create_job(info.context.subject, project, values)
        return SyncJobPayload(job=row("SyncJob", made))

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
        return SyncJobPayload(job=row("SyncJob", changed))

    @mutation(SyncJobPayload, SyncError, "Delete a job; what it has moved stays.")
    async def sync_job_delete(self, info: Info, input: SyncJobDeleteInput) -> SyncJobPayload:
        """Delete a job; the payload shows it as it was."""
        info.context.subject.require_known()
        named = t.sync_jobs.c.id == job_key(input.by)
        was = await fetch_one(info, "SyncJob", named, "job")
        await jobs.delete_job(info.context.subject, job_key(input.by))
        return SyncJobPayload(job=was, deleted_id=was.id if was else None)

    @mutation(SyncJobPayload, SyncError, "Switch a job on or off; what goes on goes on.")
    async def sync_job_set_active(self, info: Info, input: SyncJobSetActiveInput) -> SyncJobPayload:
        """Switch a job on or off."""
        subject = info.context.subject
        changed = await jobs.set_active(subject, job_key(input.by), input.is_active)
        return SyncJobPayload(job=row("SyncJob", changed))

    @mutation(
        SyncTaskPayload,
        SyncError,
        "Start a sync. CONFLICT for a job that is off (PAUSED), or has a task that goes on (ACTIVE).",
    )
    async def sync_job_start(self, info: Info, input: SyncJobStartInput) -> SyncTaskPayload:
        """Start a sync."""
        subject, job = info.context.subject, job_key(input.by)
        return _task(await tasks.start_sync(subject, job, input.idempotency_key))

    @mutation(SyncTaskPayload, SyncError, "Cancel the sync of a job.")
    async def sync_job_cancel(self, info: Info, input: SyncJobCancelInput) -> SyncTaskPayload:
        """Cancel a sync."""
        return _task(await tasks.cancel_sync(info.context.subject, job_key(input.by)))

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
        return _task(await tasks.clear_destination(subject, job, input.idempotency_key))

    @mutation(SyncStreamPayload, SyncError, "Say how far a stream has been read.")
    async def sync_stream_state_set(
        self, info: Info, input: SyncStreamStateSetInput
    ) -> SyncStreamPayload:
        """Set a stream's state."""
        key = int_key(input.id, "SyncStream", "stream")
        return _stream(await streams.set_state(info.context.subject, key, input.state))

    @mutation(SyncStreamPayload, SyncError, "Have a stream read from its beginning.")
    async def sync_stream_state_reset(
        self, info: Info, input: SyncStreamStateResetInput
    ) -> SyncStreamPayload:
        """Reset a stream's state."""
        key = int_key(input.id, "SyncStream", "stream")
        return _stream(await streams.reset_state(info.context.subject, key))

    @mutation(ProjectSettingsPayload, SyncError, "Change the settings of a project's syncs.")
    async def project_settings_update(
        self, info: Info, input: ProjectSettingsUpdateInput
    ) -> ProjectSettingsPayload:
        """Change settings."""
        project = project_scope(info, input.project_id)
        await settings.update_settings(info.context.subject, project, input.webhook_alert_url)
        return ProjectSettingsPayload(settings=row("ProjectSettings", project))
