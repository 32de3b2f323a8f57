"""Add to messages what an answer waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("messages", sa.Column("progress", sa.Text))


def downgrade() -> None:
    op.drop_column("messages", "progress")
