"""Add which process of the API writes a message, and the processes."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("messages", sa.Column("writer", sa.Text))
    op.create_table(
        "api_processes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("api_processes")
    op.drop_column("messages", "writer")
