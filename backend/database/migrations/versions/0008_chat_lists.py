"""Add pinned conversations, folders, the trash, and when a message was edited."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INDEXES = {
    "conversations_listed": (["pinned", "updated_at", "id"], "deleted_at IS NULL"),
    "conversations_folder": (
        ["folder", "pinned", "updated_at", "id"],
        "deleted_at IS NULL AND folder IS NOT NULL",
    ),
    "conversations_deleted": (["deleted_at", "id"], "deleted_at IS NOT NULL"),
}


def upgrade() -> None:
    # The default is constant, so that neither database writes the rows of the table.
    pinned = sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("conversations", pinned)
    op.add_column("conversations", sa.Column("folder", sa.Text))
    op.add_column("conversations", sa.Column("deleted_at", sa.BigInteger))
    op.add_column("messages", sa.Column("edited_at", sa.BigInteger))
    op.drop_index("conversations_newest", "conversations")
    for name, (columns, condition) in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "conversations", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "conversations")
    op.create_index("conversations_newest", "conversations", ["updated_at", "id"])
    op.drop_column("messages", "edited_at")
    for name in ("deleted_at", "folder", "pinned"):
        op.drop_column("conversations", name)
