"""Messages of a stored conversation."""

from datetime import UTC, datetime
from typing import Any

from api.conversation import Message

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def message(id_: str, parent: str | None, **fields: Any) -> Message:
    defaults = {"role": "user", "content": id_, "created_at": NOW}
    return Message.model_validate(defaults | {"id": id_, "parent": parent} | fields)
