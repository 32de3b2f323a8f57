"""Add images of messages, and which messages have them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "images",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "image_references",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("image", sa.Text, sa.ForeignKey("images.sha256"), nullable=False),
        sa.Column("message", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE")),
        sa.Column("hold", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    for column in ("image", "message", "hold"):
        op.create_index(f"image_references_{column}", "image_references", [column])


def downgrade() -> None:
    op.drop_table("image_references")
    op.drop_table("images")
