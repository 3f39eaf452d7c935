"""Root fields that change backfills."""

from typing import Any

import strawberry

from app.graphql.context import Info
from app.graphql.payloads import given, int_key, mutation
from app.graphql.references import row
from app.graphql.rows import fetch_one
from app.pipelines import tables as t
from app.pipelines.actions import backfills as verbs
from app.pipelines.backfills.inputs import (
    BackfillCreateInput,
    BackfillDeleteInput,
    BackfillUpdateInput,
)
from app.pipelines.backfills.queries import backfill_key
from app.pipelines.backfills.types import Backfill
from app.pipelines.inputs import PipelineError

_FIELDS = (
    "name",
    "block_uuid",
    "interval_type",
    "interval_units",
    "start_at",
    "end_at",
    "variables",
    "settings",
)


@strawberry.type(description="Answer to the mutations of backfills.")
class BackfillPayload:
    """The backfill as it is now, or was."""

    backfill: Backfill | None = strawberry.field(default=None, description="The backfill.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the backfill that is gone."
    )
    errors: list[PipelineError] = strawberry.field(
        default_factory=list, description="Faults that the sender of the input can correct."
    )


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    """Enum members as the words that the table holds; null variables are none."""
    plain = {k: getattr(v, "value", v) for k, v in values.items()}
    return {k: v for k, v in plain.items() if v is not None or k not in ("name", "variables")}


@strawberry.type
class BackfillMutation:
    """Changes of backfills."""

    @mutation(BackfillPayload, PipelineError, "Make a backfill; it makes no run until started.")
    async def backfill_create(self, info: Info, input: BackfillCreateInput) -> BackfillPayload:
        """Make a backfill."""
        by = input.pipeline
        key = {"pipeline_id": int_key(by.id, "Pipeline", "pipeline")} if by.id else {}
        made = await verbs.create_backfill(
            info.context.subject,
            _stored(given(input, *_FIELDS)),
            pipeline_uuid=by.uuid or "",
            **key,
        )
        return BackfillPayload(backfill=row("Backfill", made))

    @mutation(BackfillPayload, PipelineError, "Change, start or cancel a backfill.")
    async def backfill_update(self, info: Info, input: BackfillUpdateInput) -> BackfillPayload:
        """Change a backfill."""
        changed = await verbs.update_backfill(
            info.context.subject,
            backfill_key(input.by),
            _stored(given(input, *_FIELDS)),
            status=str(input.status.value) if input.status else None,
            expected_version=input.expected_version,
        )
        return BackfillPayload(backfill=row("Backfill", changed))

    @mutation(
        BackfillPayload,
        PipelineError,
        "Delete a backfill: its unfinished runs are cancelled, all its runs stay readable.",
    )
    async def backfill_delete(self, info: Info, input: BackfillDeleteInput) -> BackfillPayload:
        """Delete a backfill; the payload shows it as it was."""
        info.context.subject.require_known()
        named = t.backfills.c.id == backfill_key(input.by)
        was = await fetch_one(info, "Backfill", named, "backfill")
        await verbs.delete_backfill(info.context.subject, backfill_key(input.by))
        return BackfillPayload(backfill=was, deleted_id=was.id if was else None)
