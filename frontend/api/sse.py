"""Server-sent events: parsing, and reading a stream until it is complete."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from pydantic import ValidationError

from api.chat_chunk import Chunk
from api.errors import from_payload, stream_interrupted
from api.structured_response import StructuredEvent

# Only these: str.splitlines would also split at characters such as U+2028.
_LINE_END = re.compile(rb"\r\n|\n|\r")

EventT = TypeVar("EventT", Chunk, StructuredEvent)


async def read_until_done(
    chunks: AsyncIterable[bytes],
    event_type: type[EventT],
    is_final: Callable[[EventT], bool],
    *,
    may_be_empty: bool = False,
) -> AsyncGenerator[EventT]:
    """Yield the events of a stream.

    Raises:
        ApiError: The stream reports an error, or ends without a final event and `[DONE]`.
    """
    is_finished = may_be_empty
    async for data in parse_sse(chunks):
        if data == "[DONE]":
            if is_finished:
                return
            break
        event = _parse_event(data, event_type)
        if event.error:
            raise from_payload(event.error)
        is_finished |= is_final(event)
        yield event
    raise stream_interrupted()


async def parse_sse(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event; drop one that is not terminated by a blank line."""
    buffer, data = b"", list[str]()
    async for chunk in chunks:
        buffer += chunk
        if buffer.endswith(b"\r"):  # possibly half of a CRLF
            continue
        *lines, buffer = _LINE_END.split(buffer)
        for line in lines:
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" ").decode(errors="replace"))
            elif not line and data:
                yield "\n".join(data)
                data.clear()


def _parse_event(data: str, event_type: type[EventT]) -> EventT:
    try:
        return event_type.model_validate_json(data)
    except ValidationError:
        raise stream_interrupted() from None
