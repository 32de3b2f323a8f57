"""The tables as they are after the last migration."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table

from backend.database.types import JsonText, SafeText, UtcMicroseconds

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("title", SafeText, nullable=False),
    Column("model", SafeText),
    Column("system_prompt", SafeText),
    Column("parameters", JsonText),
    Column("current", SafeText),
    Column("sent_from", SafeText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    # The batch that the conversation is a part of: see `pending_batches`.
    Column("batch", SafeText),
    Index("conversations_batch", "batch"),
    Index("conversations_newest", "updated_at", "id"),
)

# A conversation whose batch is in this table is being added or deleted, in several transactions,
# and is not visible. Once a batch is removed from it, all conversations of the batch are visible.
pending_batches = Table(
    "pending_batches",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("touched_at", UtcMicroseconds, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    # Ascending, so that siblings keep their order.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", SafeText, nullable=False, unique=True),
    Column("conversation", SafeText, ForeignKey("conversations.id"), nullable=False),
    Column("parent", SafeText, ForeignKey("messages.id"), index=True),
    Column("role", SafeText, nullable=False),
    Column("content", SafeText, nullable=False),
    Column("parts", JsonText),
    Column("reasoning", SafeText),
    Column("tool_calls", JsonText),
    # Of a tool's result: the call that it answers, and how it ran.
    Column("tool_call_id", SafeText),
    Column("step", JsonText),
    Column("logprobs", JsonText),
    Column("model", SafeText),
    Column("parameters", JsonText),
    Column("state", SafeText),
    Column("receipt", JsonText),
    Column("error", JsonText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Index("messages_in_order", "conversation", "number"),
    Index("messages_ended", "state", "updated_at"),
)

presets = Table(
    "presets",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("parameters", JsonText, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
)

# Whether a tool may run: see `backend/tools/approvals.py`.
tool_approvals = Table(
    "tool_approvals",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("binding", SafeText, primary_key=True),
    Column("approval", SafeText, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
)
