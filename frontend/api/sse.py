"""Server-sent events, read until an answer is whole."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from pydantic import ValidationError

from api.chat_chunk import Chunk
from api.errors import from_payload, stream_interrupted
from api.structured_response import StructuredEvent

# Lines end so, and not at what else text may hold, such as U+2028.
_LINE_END = re.compile(rb"\r\n|\n|\r")

EventT = TypeVar("EventT", Chunk, StructuredEvent)


async def read_until_done(
    pieces: AsyncIterable[bytes], shape: type[EventT], ends: Callable[[EventT], bool]
) -> AsyncIterator[EventT]:
    """Read the events of an answer, which is whole only with one that `ends` it and `[DONE]`."""
    is_finished = False
    async for data in parse_sse(pieces):
        if data == "[DONE]":
            if is_finished:
                return
            break
        event = _parse_event(data, shape)
        if event.error:
            raise from_payload(event.error)
        is_finished |= ends(event)
        yield event
    raise stream_interrupted()


async def parse_sse(pieces: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Parse server-sent events and give each one's data; one without its blank line is dropped."""
    rest, data = b"", list[str]()
    async for piece in pieces:
        rest += piece
        if rest.endswith(b"\r"):  # maybe half a line end
            continue
        *lines, rest = _LINE_END.split(rest)
        for line in lines:
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" ").decode(errors="replace"))
            elif not line and data:
                yield "\n".join(data)
                data.clear()


def _parse_event(data: str, shape: type[EventT]) -> EventT:
    try:
        return shape.model_validate_json(data)
    except ValidationError:
        raise stream_interrupted() from None
