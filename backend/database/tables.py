"""The tables, as they are after the last migration."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table

from backend.database.types import Json, Microseconds, Words

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("id", Words, primary_key=True),
    Column("title", Words, nullable=False),
    Column("model", Words),
    Column("system_prompt", Words),
    Column("parameters", Json),
    Column("current", Words),
    Column("sent_from", Words),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    Index("conversations_newest", "updated_at", "id"),
)

messages = Table(
    "messages",
    metadata,
    # Counts up, so that siblings keep their order.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("conversation", Words, ForeignKey("conversations.id"), nullable=False, index=True),
    Column("parent", Words, ForeignKey("messages.id"), index=True),
    Column("role", Words, nullable=False),
    Column("content", Words, nullable=False),
    Column("parts", Json),
    Column("reasoning", Words),
    Column("tool_calls", Json),
    Column("logprobs", Json),
    Column("model", Words),
    Column("parameters", Json),
    Column("state", Words),
    Column("receipt", Json),
    Column("error", Json),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    Index("messages_ended", "state", "updated_at"),
)

presets = Table(
    "presets",
    metadata,
    Column("name", Words, primary_key=True),
    Column("parameters", Json, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
)
