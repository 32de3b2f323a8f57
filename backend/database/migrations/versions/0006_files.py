"""Add uploaded files and collections of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("warning", sa.Text),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("files_newest", "files", ["created_at", "id"])
    op.create_index("files_pending", "files", ["status", "created_at"])
    op.create_index("files_sha256", "files", ["sha256", "bytes"])
    op.create_table(
        "vector_stores",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_active_at", sa.BigInteger, nullable=False),
    )
    op.create_index("vector_stores_newest", "vector_stores", ["created_at", "id"])
    op.create_table(
        "vector_store_files",
        sa.Column("vector_store", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("attributes", sa.Text),
        sa.Column("batch", sa.Text),
        sa.Column("is_cancelled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("vector_store", "file"),
        sa.ForeignKeyConstraint(["vector_store"], ["vector_stores.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["file"], ["files.id"], ondelete="CASCADE"),
    )
    op.create_index("vector_store_files_file", "vector_store_files", ["file"])
    op.create_index(
        "vector_store_files_newest", "vector_store_files", ["vector_store", "created_at", "file"]
    )


def downgrade() -> None:
    op.drop_table("vector_store_files")
    op.drop_table("vector_stores")
    op.drop_table("files")
