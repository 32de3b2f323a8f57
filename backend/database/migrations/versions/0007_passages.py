"""Add the passages of files, and an index of their words."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "passages",
        sa.Column("id", sa.Integer if is_sqlite else sa.BigInteger, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("heading", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("passages_in_order", "passages", ["file", "number"], unique=True)
    # What is indexed are stems, separated by spaces: the databases need not agree about words.
    if is_sqlite:
        op.execute(
            "CREATE VIRTUAL TABLE passage_words USING "
            "fts5(words, title, tokenize = \"ascii tokenchars '.'\")"
        )
    else:
        op.execute(
            "CREATE TABLE passage_words (passage bigint PRIMARY KEY, words tsvector NOT NULL)"
        )
        op.execute("CREATE INDEX passage_words_gin ON passage_words USING gin (words)")


def downgrade() -> None:
    op.execute("DROP TABLE passage_words")
    op.drop_table("passages")
