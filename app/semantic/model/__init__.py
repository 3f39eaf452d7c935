"""Semantic models: what their files say, read and checked. This is the door to them."""

from app.semantic.model.groups import SCOPES, group_of, scopes_of
from app.semantic.model.load import load
from app.semantic.model.meta import meta
from app.semantic.model.nouns import (
    Caller,
    Dimension,
    Entry,
    Field,
    Measure,
    Model,
    ModelError,
    ModelErrors,
    RefreshKey,
    Segment,
    Table,
    UserGroup,
)

__all__ = [
    "SCOPES",
    "Caller",
    "Dimension",
    "Entry",
    "Field",
    "Measure",
    "Model",
    "ModelError",
    "ModelErrors",
    "RefreshKey",
    "Segment",
    "Table",
    "UserGroup",
    "group_of",
    "load",
    "meta",
    "scopes_of",
]
