"""Column types that behave the same in SQLite and Postgres; new ids and the current time."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, Boolean, Dialect, Text, TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SafeText(TypeDecorator[str]):
    """Text with NUL replaced, which Postgres rejects."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


class JsonText(TypeDecorator[Any]):
    """JSON stored as text, serialized and parsed by the same library as the rest of the API."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else to_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else from_json(value)


class Flag(TypeDecorator[bool]):
    """True or false, in the form in which rows are written without the types of their columns."""

    impl = Boolean
    cache_ok = True

    def process_bind_param(
        self,
        value: bool | None,  # noqa: FBT001
        dialect: Dialect,  # noqa: ARG002
    ) -> bool | None:
        return value


class UtcMicroseconds(TypeDecorator[datetime]):
    """A UTC time as microseconds since 1970: SQLite has no type with a time zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + value * _MICROSECOND


def new_id() -> str:
    """Return a random id of 32 hexadecimal digits."""
    return secrets.token_hex(16)


def utc_now() -> datetime:
    return datetime.now(UTC)
