"""Upkeep of Iceberg tables: snapshots of old syncs expire, and files that nothing names are removed.

Once a day for a table, and only what syncs have made: what others write there is theirs to clean.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import unquote

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as Found
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate, SetPropertiesUpdate

from workers.connectors.base import Config
from workers.connectors.iceberg_io import Files
from workers.connectors.iceberg_table import ORDER, POSITION_FILE, Once

EXPIRE_DAYS = 5
"""Iceberg's own default, where the settings say nothing."""
ORPHAN_AGE = timedelta(days=3)
"""A younger file may be one that somebody is about to commit."""
BETWEEN = timedelta(days=1)
TIDIED = "isthmus.tidied"
_OURS = re.compile(
    r"data/isthmus-.+|metadata/([^/]+\.avro|[^/]+\.metadata\.json|isthmus-position-[^/]+\.json)"
)


def expire_days(writer: Config, catalog: Catalog) -> int:
    """After how many days snapshots expire; 0 where nothing is to be cleaned.

    In Nessie other branches may need what this one does not name: only its own collector knows.
    """
    nessie = str(catalog.properties.get("nessie.is-nessie-catalog", "")).lower() == "true"
    if nessie or writer.get("catalog_type") == "nessie":
        return 0
    given = writer.get("expire_snapshots_after_days")
    return EXPIRE_DAYS if given is None else max(0, int(given))


def is_due(found: Found, now: datetime) -> bool:
    """Whether a day has gone by, for a table whose files may be removed at all."""
    metadata = found.metadata
    if not metadata.snapshots or metadata.properties.get("gc.enabled", "true").lower() == "false":
        return False
    try:
        last = datetime.fromisoformat(metadata.properties[TIDIED])
    except (KeyError, ValueError):
        first = min(snapshot.timestamp_ms for snapshot in metadata.snapshots)
        last = datetime.fromtimestamp(first / 1000, UTC)
    return now - last >= BETWEEN


def expire(found: Found, days: int, now: datetime) -> int:
    """Let the snapshots of syncs go that are older than so many days; how many.

    The newest of a sync stays, with what came after it: it holds the position. CommitFailedException
    where others commit meanwhile.
    """
    metadata = found.metadata
    before_ms = (now - timedelta(days=days)).timestamp() * 1000
    needed = _needed(metadata)
    old = [
        s.snapshot_id
        for s in metadata.snapshots
        if s.timestamp_ms < before_ms and ORDER in _said(s) and s.snapshot_id not in needed
    ]
    removal = (RemoveSnapshotsUpdate.model_validate({"snapshot-ids": old}),) if old else ()
    meant = AssertRefSnapshotId.model_validate(
        {"ref": MAIN_BRANCH, "snapshot-id": metadata.current_snapshot_id}
    )
    transaction = Once(found)
    noted = SetPropertiesUpdate(updates={TIDIED: now.isoformat()})
    transaction._apply((*removal, noted), (meant,))
    transaction.commit_transaction()
    return len(old)


def sweep(found: Found, now: datetime) -> int | None:
    """Remove the files below the table's location that no snapshot names; how many.

    None where the listing lacks files of the table: then names cannot be compared, and all stays.
    """
    io, location = cast(Files, found.io), found.metadata.location.rstrip("/")
    named, current = _named(found, io)
    seen, orphans = set(), []
    for folder in ("data", "metadata"):
        for name, written_at in io.under(f"{location}/{folder}"):
            key = _key(name)
            seen.add(key)
            below = key.removeprefix(f"{_key(location)}/")
            if key not in named and now - written_at > ORPHAN_AGE and _OURS.fullmatch(below):
                orphans.append(name)
    if not {key for key in current if key.startswith(f"{_key(location)}/data/")} <= seen:
        return None
    for name in orphans:
        io.delete(name)
    return len(orphans)


def _needed(metadata: TableMetadata) -> set[int]:
    """Heads of branches and tags, and all snapshots back to the newest one of a sync."""
    needed = {ref.snapshot_id for ref in metadata.refs.values()}
    snapshot = metadata.current_snapshot()
    while snapshot is not None:
        needed.add(snapshot.snapshot_id)
        if ORDER in _said(snapshot) or snapshot.parent_snapshot_id is None:
            break
        snapshot = metadata.snapshot_by_id(snapshot.parent_snapshot_id)
    return needed


def _named(found: Found, io: Files) -> tuple[set[str], set[str]]:
    """All files that the table's metadata name; and the data files of its current snapshot."""
    metadata = found.metadata
    names = {found.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    names |= {one.statistics_path for one in metadata.statistics}
    names |= {one.statistics_path for one in metadata.partition_statistics}
    current, read = set(), set()
    for snapshot in metadata.snapshots:
        names |= {
            snapshot.manifest_list,
            _said(snapshot).get(POSITION_FILE, snapshot.manifest_list),
        }
        is_current = snapshot.snapshot_id == metadata.current_snapshot_id
        for manifest in snapshot.manifests(io):
            if manifest.manifest_path in read and not is_current:
                continue
            read.add(manifest.manifest_path)
            entries = manifest.fetch_manifest_entry(io, discard_deleted=True)
            files = {_key(entry.data_file.file_path) for entry in entries}
            current |= files if is_current else set()
            names |= files
    return {_key(name) for name in names | read}, current


def _said(snapshot: Snapshot) -> Mapping[str, str]:
    return snapshot.summary.additional_properties if snapshot.summary else {}


def _key(location: str) -> str:
    """A file's name in which the ways of writing it are alike."""
    return unquote(re.sub(r"^[a-z0-9]+:", "", location)).lstrip("/")
