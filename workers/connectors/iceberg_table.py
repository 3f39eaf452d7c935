"""One Iceberg table: what it holds, how far it was synced, and the commit of the next step.

Rows, position and schema are one snapshot, committed on top of the snapshot that was looked at. Who
committed meanwhile is looked at before it is tried again.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile, ManifestContent
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as Found
from pyiceberg.table import Transaction
from pyiceberg.table.update import AddSchemaUpdate, AssertCurrentSchemaId, SetCurrentSchemaUpdate

from workers.connectors import iceberg_schema
from workers.connectors.base import Column, Position, Session, SyncError, Table
from workers.connectors.iceberg_io import Files
from workers.connectors.iceberg_partitions import spec_of

POSITION, POSITION_FILE = "isthmus.position", "isthmus.position-file"
JOB, ORDER = "isthmus.job", "isthmus.order"
LONGEST_POSITION = 4096
"""Longer ones are a file beside the metadata, which holds all snapshots."""
PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.parquet.compression-codec": "zstd",
}


@dataclass(frozen=True)
class Target:
    """What files are written for: a schema that the commit makes the table's."""

    transaction: Transaction
    schema: Schema
    spec: PartitionSpec
    location: str

    @property
    def io(self) -> Files:
        """The table's files."""
        return cast(Files, self.transaction._table.io)

    def fits(self, other: "Target") -> bool:
        """Whether files that were written for the other one can be committed here."""
        return (self.schema, self.spec, self.location) == (
            other.schema,
            other.spec,
            other.location,
        )


class Place:
    """A table as its catalog has it now; `found` is None where it is not there."""

    def __init__(self, session: Session, catalog: Catalog, table: Table) -> None:
        self.session = session
        self.catalog = catalog
        self.table = table
        self.id = (table.database, table.name)
        self.found: Found | None = None
        try:
            self.found = catalog.load_table(self.id)
        except (NoSuchTableError, NoSuchNamespaceError):
            return

    def position(self) -> Position | None:
        """The position of the job's last commit, if the last sync was this job's."""
        last = self._last()
        if self.found is None or last.get(JOB) != self.session.run.job:
            return None
        if POSITION_FILE in last:
            text = self._io().read(last[POSITION_FILE]).decode()
        else:
            text = last[POSITION]
        position: Position = json.loads(text)
        return position

    def guard(self) -> None:
        """SyncError where a later run of the job has committed."""
        last = self._last()
        ours = last.get(JOB) == self.session.run.job
        if ours and tuple(json.loads(last[ORDER])) > self.session.run.order:
            raise SyncError("A later run has written to this table; this one has lost it.")

    def refuse_deletes(self) -> None:
        """SyncError for a table that has delete files: no reader or writer here applies them."""
        if any(
            manifest.content == ManifestContent.DELETES
            and (manifest.has_added_files() or manifest.has_existing_files())
            for manifest in self._manifests()
        ):
            raise SyncError(
                f"The Iceberg table {'.'.join(self.id)} has delete files (equality deletes, as OLake "
                "writes them), which cannot be gone on with: rewrite its data files, or clear the "
                "stream to load it anew."
            )

    def files(self) -> list[DataFile]:
        """All data files."""
        return [
            entry.data_file
            for manifest in self._manifests()
            for entry in manifest.fetch_manifest_entry(self._io(), discard_deleted=True)
        ]

    def target(self, columns: Sequence[Column], *, keep: bool) -> Target:
        """What the next files are written for; with `keep` the table's rows stay."""
        if self.found is None:
            return self._new(columns)
        metadata = self.found.metadata
        old, last_id = metadata.schema(), metadata.last_column_id
        if keep:
            schema = iceberg_schema.evolved(old, last_id, columns, self.table.name)
        else:
            schema = iceberg_schema.changed(old, last_id, columns)
        there = {field.field_id for field in schema.fields}
        for field in metadata.spec().fields:
            if field.source_id not in there:
                raise SyncError(
                    f"The column that partitions {self.table.name} has gone or has another type: "
                    "clear the stream to load it anew."
                )
        return Target(Once(self.found), schema, metadata.spec(), metadata.location)

    def commit(
        self, target: Target, added: Iterable[DataFile], removed: Iterable[DataFile], at: Position
    ) -> None:
        """Add and remove files, with the position; CommitFailedException where others came first."""
        transaction = target.transaction
        if self.found is not None:
            _set_schema(transaction, target.schema)
        update = transaction.update_snapshot(snapshot_properties=self._properties(target, at))
        gone = list(removed)
        snapshot: Any = update.overwrite() if gone else update.fast_append()
        for file in gone:
            snapshot.delete_data_file(file)
        if gone:
            # Else it would look for them in the partitions of the files only, and find none.
            snapshot.delete_by_predicate(AlwaysTrue())
        for file in added:
            snapshot.append_data_file(file)
        snapshot.commit()
        try:
            transaction.commit_transaction()
        except TableAlreadyExistsError as error:
            raise CommitFailedException(str(error)) from None

    def _new(self, columns: Sequence[Column]) -> Target:
        with suppress(NamespaceAlreadyExistsError):
            self.catalog.create_namespace(self.table.database)
        schema = iceberg_schema.fresh(columns)
        transaction = self.catalog.create_table_transaction(
            self.id,
            schema,
            partition_spec=spec_of(self.table.partition, schema),
            properties=PROPERTIES,
        )
        metadata = transaction.table_metadata
        return Target(transaction, metadata.schema(), metadata.spec(), metadata.location)

    def _properties(self, target: Target, position: Position) -> dict[str, str]:
        run = self.session.run
        text = json.dumps(position)
        said = {JOB: run.job, "isthmus.run": run.id, ORDER: json.dumps(run.order)}
        if len(text) <= LONGEST_POSITION:
            return {**said, POSITION: text}
        name = f"{target.location.rstrip('/')}/metadata/isthmus-position-{uuid.uuid4().hex}.json"
        target.io.write(name, text.encode())
        return {**said, POSITION_FILE: name}

    def _last(self) -> Mapping[str, str]:
        """What the last snapshot of a sync says; others, of a compaction say, come after it."""
        if self.found is None:
            return {}
        metadata = self.found.metadata
        snapshot = metadata.current_snapshot()
        while snapshot is not None:
            said = snapshot.summary.additional_properties if snapshot.summary else {}
            if ORDER in said:
                return said
            parent = snapshot.parent_snapshot_id
            snapshot = None if parent is None else metadata.snapshot_by_id(parent)
        return {}

    def _manifests(self) -> list[Any]:
        snapshot = self.found.metadata.current_snapshot() if self.found else None
        return [] if snapshot is None else snapshot.manifests(self._io())

    def _io(self) -> Files:
        assert self.found is not None
        return cast(Files, self.found.io)


class Once(Transaction):
    """A transaction that is not put on top of what others have committed meanwhile."""

    def _rebuild_snapshot_updates(self) -> None:
        raise CommitFailedException("Others have committed meanwhile.")


def _set_schema(transaction: Transaction, schema: Schema) -> None:
    metadata = transaction.table_metadata
    if schema == metadata.schema():
        return
    known = next((old.schema_id for old in metadata.schemas if old == schema), None)
    number = 1 + max(old.schema_id for old in metadata.schemas)
    added = Schema(
        *schema.fields, schema_id=number, identifier_field_ids=schema.identifier_field_ids
    )
    adding = (AddSchemaUpdate(schema=added),) if known is None else ()
    current = SetCurrentSchemaUpdate.model_validate({"schema-id": -1 if known is None else known})
    meant = AssertCurrentSchemaId.model_validate(
        {"type": "assert-current-schema-id", "current-schema-id": metadata.current_schema_id}
    )
    transaction._apply((*adding, current), (meant,))
