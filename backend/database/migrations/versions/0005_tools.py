"""Add tool results and steps to messages, and what a person allows each tool."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("messages", sa.Column("tool_call_id", sa.Text))
    op.add_column("messages", sa.Column("step", sa.Text))
    op.create_table(
        "tool_approvals",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("binding", sa.Text, primary_key=True),
        sa.Column("approval", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("tool_approvals")
    op.drop_column("messages", "step")
    op.drop_column("messages", "tool_call_id")
