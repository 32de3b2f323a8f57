"""Add batches of conversations that become visible together, and an index of messages in order."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "pending_batches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
    )
    op.add_column("conversations", sa.Column("batch", sa.Text))
    op.create_index("conversations_batch", "conversations", ["batch"])
    op.create_index("messages_in_order", "messages", ["conversation", "number"])
    op.drop_index("ix_messages_conversation", "messages")


def downgrade() -> None:
    op.create_index("ix_messages_conversation", "messages", ["conversation"])
    op.drop_index("messages_in_order", "messages")
    op.drop_index("conversations_batch", "conversations")
    op.drop_column("conversations", "batch")
    op.drop_table("pending_batches")
