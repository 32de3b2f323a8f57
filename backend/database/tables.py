"""The tables as they are after the last migration."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    false,
    text,
)

from backend.database.types import Flag, JsonText, SafeText, UtcMicroseconds

metadata = MetaData()

_SHOWN, _DELETED = "deleted_at IS NULL", "deleted_at IS NOT NULL"
_IN_FOLDER = "deleted_at IS NULL AND folder IS NOT NULL"


def _partial_index(name: str, condition: str, *columns: str) -> Index:
    """Return an index of the rows that meet a condition."""
    where = text(condition)
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


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
    Column("pinned", Flag, nullable=False, server_default=false()),
    Column("folder", SafeText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    # When it was put into the trash: see `backend/conversations/trash.py`.
    Column("deleted_at", UtcMicroseconds),
    # The batch that the conversation is a part of: see `pending_batches`.
    Column("batch", SafeText),
    Index("conversations_batch", "batch"),
    _partial_index("conversations_listed", _SHOWN, "pinned", "updated_at", "id"),
    _partial_index("conversations_folder", _IN_FOLDER, "folder", "pinned", "updated_at", "id"),
    _partial_index("conversations_deleted", _DELETED, "deleted_at", "id"),
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
    # The process that writes it, or wrote it; null if that was stopped by another one.
    Column("writer", SafeText),
    # What an answer waits for, if its state is `writing`.
    Column("progress", JsonText),
    Column("receipt", JsonText),
    # Of an answer from files: the places that it cites, and how it came about.
    Column("annotations", JsonText),
    Column("retrieval", JsonText),
    Column("error", JsonText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("edited_at", UtcMicroseconds),
    Index("messages_in_order", "conversation", "number"),
    Index("messages_ended", "state", "updated_at"),
)

# Images of messages. Their bytes are on disk, by their hash: see `backend/images/store.py`.
images = Table(
    "images",
    metadata,
    Column("sha256", SafeText, primary_key=True),
    Column("media_type", SafeText, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
)

# Which messages have an image. A reference without one holds an image that is about to be stored.
image_references = Table(
    "image_references",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("image", SafeText, ForeignKey("images.sha256"), nullable=False),
    Column("message", SafeText, ForeignKey("messages.id", ondelete="CASCADE")),
    Column("hold", SafeText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Index("image_references_image", "image"),
    Index("image_references_message", "message"),
    Index("image_references_hold", "hold"),
)

# The processes of the API that write answers: see `backend/conversations/api_processes.py`.
api_processes = Table(
    "api_processes",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("host", SafeText, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("touched_at", UtcMicroseconds, nullable=False),
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

# Uploaded files. Their bytes are on disk, by their hash: see `backend/files/storage.py`. One with
# the status "deleted" is not visible, and its row goes last, when all else of it is gone.
files = Table(
    "files",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("filename", SafeText, nullable=False),
    Column("purpose", SafeText, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", SafeText, nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("status", SafeText, nullable=False),
    Column("progress", Float, nullable=False),  # the share that has been read
    Column("error", JsonText),
    Column("warning", SafeText),  # what of it was not read
    # When the process that reads it last said so, and how often that was begun.
    Column("touched_at", UtcMicroseconds, nullable=False),
    Column("attempts", Integer, nullable=False),
    # With which model all of its passages have vectors: see `passage_vectors`.
    Column("embedded_by", SafeText),
    Index("files_newest", "created_at", "id"),
    Index("files_pending", "status", "created_at"),
    Index("files_sha256", "sha256", "bytes"),
)

# Collections of files.
vector_stores = Table(
    "vector_stores",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("name", SafeText, nullable=False),
    Column("metadata", JsonText),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("last_active_at", UtcMicroseconds, nullable=False),
    Index("vector_stores_newest", "created_at", "id"),
)

vector_store_files = Table(
    "vector_store_files",
    metadata,
    Column(
        "vector_store", SafeText, ForeignKey("vector_stores.id", ondelete="CASCADE"), nullable=False
    ),
    Column("file", SafeText, ForeignKey("files.id", ondelete="CASCADE"), nullable=False),
    Column("attributes", JsonText),
    Column("batch", SafeText),  # with which it was added
    Column("is_cancelled", Boolean, nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
    PrimaryKeyConstraint("vector_store", "file"),
    Index("vector_store_files_file", "file"),
    Index("vector_store_files_newest", "vector_store", "created_at", "file"),
)

# The parts of files that are searched. Beside it, `passage_words` is the index of their words: a
# virtual table in SQLite, so it is only declared by its migration.
passages = Table(
    "passages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("file", SafeText, nullable=False),
    Column("number", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer),
    Column("heading", SafeText),
    Column("text", SafeText, nullable=False),
    Index("passages_in_order", "file", "number", unique=True),
)

# The embeddings of passages, if there is a model that embeds: vectors of the length 1 as 32-bit
# floats, little-endian. That of a passage which the model does not take is empty.
passage_vectors = Table(
    "passage_vectors",
    metadata,
    Column(
        "passage",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("passages.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("embedded_by", SafeText, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
