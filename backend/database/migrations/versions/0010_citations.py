"""Add to messages the places in files that they cite, and what was read for them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_COLUMNS = ("annotations", "retrieval")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("messages", sa.Column(name, sa.Text))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("messages", name)
