"""Add presets, and an index for finding recent answers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "presets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("messages_ended", "messages", ["state", "updated_at"])


def downgrade() -> None:
    op.drop_index("messages_ended", "messages")
    op.drop_table("presets")
