"""Operations on syncs that several tests use."""

import asyncio
from typing import Any

from tests.factories import rows
from tests.graphql.caller import Answer, Caller

ERRORS = "errors { message code path }"
END = "id number name type connectorVersion config configAsText version"
JOB = "id number name frequency cron nextFireAt isActive streamsConfig version"
SOURCE_CREATE = f"""mutation($i: SyncSourceCreateInput!) {{ syncSourceCreate(input: $i) {{
  source {{ {END} }} {ERRORS} }} }}"""
SOURCE_UPDATE = f"""mutation($i: SyncSourceUpdateInput!) {{ syncSourceUpdate(input: $i) {{
  source {{ {END} }} {ERRORS} }} }}"""
SOURCE_DELETE = f"""mutation($n: Int!) {{ syncSourceDelete(input: {{by: {{number: $n}}}}) {{
  deletedId {ERRORS} }} }}"""
DESTINATION_CREATE = f"""mutation($i: SyncDestinationCreateInput!) {{
  syncDestinationCreate(input: $i) {{ destination {{ {END} }} {ERRORS} }} }}"""
JOB_CREATE = f"""mutation($i: SyncJobCreateInput!) {{ syncJobCreate(input: $i) {{
  job {{ {JOB} source {{ {END} }} destination {{ {END} }} }} {ERRORS} }} }}"""
JOB_UPDATE = f"""mutation($i: SyncJobUpdateInput!) {{ syncJobUpdate(input: $i) {{
  job {{ {JOB} source {{ {END} }} }} {ERRORS} }} }}"""
JOB_DELETE = f"""mutation($n: Int!) {{ syncJobDelete(input: {{by: {{number: $n}}}}) {{
  deletedId {ERRORS} }} }}"""
START = f"""mutation($n: Int!, $k: String) {{
  syncJobStart(input: {{by: {{number: $n}}, idempotencyKey: $k}}) {{
    task {{ id number jobType status steps {{ name }} }} {ERRORS} }} }}"""
CANCEL = f"""mutation($n: Int!) {{ syncJobCancel(input: {{by: {{number: $n}}}}) {{
  task {{ id status }} {ERRORS} }} }}"""
CLEAR = f"""mutation($n: Int!) {{ syncJobClearDestination(input: {{by: {{number: $n}}}}) {{
  task {{ id jobType status }} {ERRORS} }} }}"""
ACTIVE = f"""mutation($n: Int!, $a: Boolean!) {{
  syncJobSetActive(input: {{by: {{number: $n}}, isActive: $a}}) {{
    job {{ isActive nextFireAt version }} {ERRORS} }} }}"""


def source(**values: Any) -> dict[str, Any]:
    """Input of a new PostgreSQL source."""
    given = {"type": "postgres", "connectorVersion": "v0.9.4", "config": rows.POSTGRES}
    return {"name": rows.unique("source"), **given, **values}


def destination(**values: Any) -> dict[str, Any]:
    """Input of a new Parquet destination."""
    given = {"type": "parquet", "connectorVersion": "v0.9.4", "config": rows.PARQUET}
    return {"name": rows.unique("destination"), **given, **values}


def job(**values: Any) -> dict[str, Any]:
    """Input of a new job with new ends."""
    given = {"source": source(), "destination": destination(), "streamsConfig": rows.CATALOG}
    return {"name": rows.unique("job"), **given, **values}


async def at_once(caller: Caller, document: str, times: int, **variables: Any) -> list[Answer]:
    """The same call many times side by side."""
    return await asyncio.gather(*(caller(document, **variables) for _ in range(times)))
