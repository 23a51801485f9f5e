"""Runs migrations on the connection that the database hands over."""

from __future__ import annotations

from alembic import context

from reconciler.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
