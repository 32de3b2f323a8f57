"""Write conversations as JSON, Markdown or HTML, and send them, with little memory.

A document is written to a temporary file, in one transaction, before it is sent: a client that
reads slowly holds no transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic_core import from_json, to_json

from backend.conversations.conversation import ConversationFields, Message
from backend.conversations.export import Export, MarkdownExport
from backend.conversations.exported_images import ReadImage, with_image_data
from backend.conversations.html_export import HtmlExport
from backend.conversations.reader import MessagePage, OpenConversation, open_conversation
from backend.database.database import Database
from backend.database.tables import messages
from backend.database.types import JsonText, UtcMicroseconds
from backend.errors import ConversationNotFoundError

_MEMORY_BYTES = 512 * 1024  # of a document that is kept in memory
_CHUNK_BYTES = 256 * 1024
_TIME = UtcMicroseconds()
_EXPORT_START, _EXPORT_END = Export(conversations=[]).model_dump_json().encode().split(b"[]")


class TextExport(Protocol):
    """Renders a conversation, message by message."""

    def start(self, conversation: ConversationFields) -> str: ...

    def message(self, message: Message) -> str: ...

    def end(self) -> str: ...


TEXT_EXPORTS: dict[str, Callable[[ReadImage], TextExport]] = {
    "markdown": lambda _: MarkdownExport(),
    "html": HtmlExport,
}


class ConversationDocuments:
    """Writes documents to temporary files in `folder`; exports have the images that are read."""

    def __init__(
        self, database: Database, folder: str, read_image: ReadImage = lambda _: None
    ) -> None:
        self._database = database
        self._folder = folder
        self._read_image = read_image

    async def json(
        self,
        conversation_id: str,
        page: MessagePage | None = None,
        *,
        is_export: bool = False,
    ) -> IO[bytes]:
        """Write a conversation with its messages, or with those of a page.

        Raises:
            ConversationNotFoundError: It does not exist.
            MessageNotFoundError: The page begins at a message that is not in it.
        """
        async with open_conversation(self._database, conversation_id) as conversation:
            with self._new_file() as (file, keep):
                read_image = self._read_image if is_export else None
                await _write_json(conversation, file, page, read_image=read_image)
                keep()
                return file

    async def export(self, conversation_id: str, file_format: str) -> tuple[IO[bytes], str]:
        """Write an export file of a conversation; return it and the conversation's title.

        Raises:
            ConversationNotFoundError: It does not exist.
        """
        async with open_conversation(self._database, conversation_id) as conversation:
            with self._new_file() as (file, keep):
                if file_format == "json":
                    file.write(_EXPORT_START + b"[")
                    await _write_json(conversation, file, read_image=self._read_image)
                    file.write(b"]" + _EXPORT_END)
                else:
                    export = TEXT_EXPORTS[file_format](self._read_image)
                    await _write_text(conversation, export, file)
                keep()
                return file, str(conversation.row["title"])

    async def export_all(self, ids: list[str]) -> AsyncIterator[bytes]:
        """Yield an export file of conversations, without those that have been deleted."""
        yield _EXPORT_START + b"["
        separator = b""
        for conversation_id in ids:
            with suppress(ConversationNotFoundError):
                file = await self.json(conversation_id, is_export=True)
                yield separator
                async for chunk in _read(file):
                    yield chunk
                separator = b","
        yield b"]" + _EXPORT_END

    @contextmanager
    def _new_file(self) -> Iterator[tuple[IO[bytes], Callable[[], object]]]:
        """Yield a file, and the function to call if it is not to be closed at the end."""
        with ExitStack() as stack:
            file = stack.enter_context(SpooledTemporaryFile(_MEMORY_BYTES, dir=self._folder))
            yield file, stack.pop_all


def send(
    file: IO[bytes], media_type: str, headers: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    """Return the response that sends a document, and closes it."""
    size = file.tell()
    if size <= _MEMORY_BYTES:
        file.seek(0)
        with file:
            return Response(file.read(), status, headers, media_type)
    headers = {**(headers or {}), "Content-Length": str(size)}
    return StreamingResponse(_read(file), status, headers, media_type)


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


async def _write_json(
    conversation: OpenConversation,
    file: IO[bytes],
    page: MessagePage | None = None,
    *,
    read_image: ReadImage | None = None,
) -> None:
    groups, end = conversation.numbers(), b"]}"
    if page:
        pages, has_more = await conversation.page(page)
        groups, end = _iterate(pages), b'],"has_more":%s}' % to_json(has_more)
    file.write(conversation.fields.model_dump_json().encode().removesuffix(b"}"))
    file.write(b',"messages":[')
    separator = b""
    async for numbers in groups:
        rows = await conversation.stored_messages(numbers)
        changes = {row["id"]: conversation.unwritten(row["id"]) for row in rows}
        await asyncio.to_thread(_write_rows, rows, changes, file, separator, read_image)
        separator = b","
    file.write(end)


async def _write_text(conversation: OpenConversation, export: TextExport, file: IO[bytes]) -> None:
    """Write the active branch."""
    file.write(export.start(conversation.fields).encode())
    async for numbers in conversation.active_branch():
        shown = await conversation.shown_messages(numbers)
        await asyncio.to_thread(_write_texts, export, shown, file)
    file.write(export.end().encode())


async def _iterate(groups: list[list[int]]) -> AsyncIterator[list[int]]:
    for numbers in groups:
        yield numbers


def _write_rows(
    rows: list[dict[str, Any]],
    changes: dict[str, dict[str, Any]],
    file: IO[bytes],
    before: bytes,
    read_image: ReadImage | None,
) -> None:
    for row in rows:
        if read_image:
            row = row | {"parts": with_image_data(row["parts"], read_image)}  # noqa: PLW2901
        file.write(before + _message_json(row, changes[row["id"]]))
        before = b","


def _write_texts(export: TextExport, shown: list[Message], file: IO[bytes]) -> None:
    for message in shown:
        file.write(export.message(message).encode())


def _message_json(row: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """Return a stored message as `Message` is serialized, without parsing its JSON."""
    values = (
        to_json(changes[name]) if name in changes else encode(row[name])
        for name, encode in _ENCODERS.items()
    )
    return b"{%s}" % b",".join(map(b'"%s":%s'.__mod__, zip(_NAMES, values, strict=True)))


def _json_text(value: str | None) -> bytes:
    if value is None:
        return b"null"
    if "Infinity" in value or "NaN" in value:  # a number that is not JSON, or in a string
        return to_json(from_json(value), inf_nan_mode="null")
    return value.encode()


def _encoder(name: str) -> Callable[[Any], bytes]:
    column_type = messages.c[name].type
    if isinstance(column_type, JsonText):
        return _json_text
    if isinstance(column_type, UtcMicroseconds):
        return lambda value: to_json(_TIME.process_result_value(value, None))  # type: ignore[arg-type]
    return to_json


_ENCODERS = {name: _encoder(name) for name in Message.model_fields}
_NAMES = [name.encode() for name in _ENCODERS]
