"""Add the embeddings of passages, and which files have them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("files", sa.Column("embedded_by", sa.Text))
    op.create_table(
        "passage_vectors",
        sa.Column(
            "passage",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("passages.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("embedded_by", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("passage_vectors")
    op.drop_column("files", "embedded_by")
