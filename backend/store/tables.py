"""The tables, and how what we keep is written in any database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Words(TypeDecorator[str]):
    """Text without NUL, which Postgres does not take."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Json(TypeDecorator[Any]):
    """JSON as text: written and read by the same parser as everything else here."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else to_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else from_json(value)


class Microseconds(TypeDecorator[datetime]):
    """A moment; SQLite knows none with a zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + value * _MICROSECOND


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
