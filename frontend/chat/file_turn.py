"""The attached files in a request: which are searched, and waiting until they have been read."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from api.chat_chunk import Chunk, Extensions, Progress
from api.errors import ApiError
from components.service_status import api
from files.attachments import attachments
from files.file_text import short_name
from files.library import files_client, library

POLL_SECONDS = 0.3


def file_search_field(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the attached files are searched as a request has it, or nothing without files."""
    attached = attachments().existing(library().get())
    return attached.request_field() | dict(options) if attached else {}


def allows_tools(field: Mapping[str, Any]) -> bool:
    """Return True if the model may use tools: with these it searches the files itself."""
    return not field or (field["mode"] == "auto" and "task" not in field)


def stream_chat(body: dict[str, Any]) -> AsyncGenerator[Chunk]:
    """Stream an answer, as soon as the attached files have been read."""
    field = body["smolchat"].get("file_search") or {}
    known = library().get().files_by_id
    unread = [
        file_id
        for file_id in field.get("file_ids", ())
        if file_id not in known or known[file_id].is_being_read
    ]
    return _stream_when_read(body, unread) if unread else api().stream_chat(body)


async def _stream_when_read(body: dict[str, Any], file_ids: Sequence[str]) -> AsyncGenerator[Chunk]:
    for file_id in file_ids:
        async with aclosing(_reading(file_id)) as shares:
            async for share in shares:
                progress = Progress(phase="files", fraction=share)
                yield Chunk(smolchat=Extensions(progress=progress))
    async with aclosing(api().stream_chat(body)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _reading(file_id: str) -> AsyncGenerator[float]:
    """Yield the share of a file that has been read, until it is all of it.

    Raises:
        ApiError: It could not be read, or it was deleted.
    """
    while (file := await asyncio.to_thread(files_client().get, file_id)).is_being_read:
        yield file.smolchat.progress or 0.0
        await asyncio.sleep(POLL_SECONDS)
    if error := file.smolchat.error:
        name = short_name(file.filename)
        raise ApiError(f"{name} could not be read: {error.message}", code="file_not_read")
