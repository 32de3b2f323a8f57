"""Create conversations and their messages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("system_prompt", sa.Text),
        sa.Column("parameters", sa.Text),
        sa.Column("current", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("conversations_newest", "conversations", ["updated_at", "id"])
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "messages",
        sa.Column("number", number, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("conversation", sa.Text, sa.ForeignKey("conversations.id"), nullable=False),
        sa.Column("parent", sa.Text, sa.ForeignKey("messages.id")),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("parts", sa.Text),
        sa.Column("reasoning", sa.Text),
        sa.Column("tool_calls", sa.Text),
        sa.Column("logprobs", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("parameters", sa.Text),
        sa.Column("state", sa.Text),
        sa.Column("receipt", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_messages_conversation", "messages", ["conversation"])
    op.create_index("ix_messages_parent", "messages", ["parent"])


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("conversations")
