"""Alembic's entry point: run the migrations on the connection that the caller provides."""

from alembic import context

from backend.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
