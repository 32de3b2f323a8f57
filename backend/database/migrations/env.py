"""What Alembic runs to migrate: on the connection that it is given."""

from alembic import context

from backend.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
