"""Add the message from which a conversation is sent to the model."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("sent_from", sa.Text))


def downgrade() -> None:
    op.drop_column("conversations", "sent_from")
