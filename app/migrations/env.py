"""Alembic's entry: runs the revisions on the connection that `app.migrations.run` hands over."""

from alembic import context
from sqlmodel import SQLModel

from app.migrations import models

assert models

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    compare_type=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
