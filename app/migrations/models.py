"""Every table, so that the metadata is whole."""

from app.access import tables as access
from app.content import tables as content
from app.core import audit
from app.ingestion import tables as ingestion
from app.pipelines import tables as pipelines
from app.projects import tables as projects
from app.runs import tables as runs
from app.semantic import tables as semantic

__all__ = ["access", "audit", "content", "ingestion", "pipelines", "projects", "runs", "semantic"]
