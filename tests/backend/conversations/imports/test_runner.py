"""Imports by a process, and what is left of those that fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from pydantic_core import to_json
from sqlalchemy import func, select
from starlette.requests import ClientDisconnect

from backend.conversations.imports.runner import SMALL_BYTES, ImportRunner, write_body
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database, open_database
from backend.database.tables import conversations, messages, pending_batches
from backend.errors import (
    ClientDisconnectedError,
    InvalidRequestError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.settings import Settings
from tests.support.conversations import read_conversation
from tests.support.imports import open_webui_answer
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@dataclass
class Importer:
    """A runner, and the database that it writes to."""

    runner: ImportRunner
    database: Database

    async def run(self, body: bytes) -> Any:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        with self.runner.file() as file:
            await write_body(chunks(), file)
            return await self.runner.run(file)

    async def counts(self) -> list[int]:
        """Return the numbers of rows: conversations, messages and pending batches."""
        tables = (conversations, messages, pending_batches)
        async with self.database.read_transaction() as connection:
            queries = [select(func.count()).select_from(table) for table in tables]
            return [(await connection.execute(query)).scalar_one() for query in queries]


@asynccontextmanager
async def importer(folder: Path, **settings: Any) -> AsyncIterator[Importer]:
    values = Settings(model_id=MODEL_ID, data_dir=folder, **settings)
    async with open_database(values) as database:
        yield Importer(ImportRunner(values, database, str(folder)), database)


async def test_conversations_appear_all_at_once(tmp_path: Path) -> None:
    chats = [open_webui_answer(str(number)) for number in range(1200)]
    async with importer(tmp_path) as importing:
        repository = ConversationRepository(importing.database)
        task = asyncio.create_task(importing.run(to_json(chats)))
        seen = set()
        while not task.done():
            seen.add(len(await repository.list_ids()))
            await asyncio.sleep(0.005)
        result = await task
        assert seen <= {0, 1200}
        assert await importing.counts() == [1200, 2400, 0]
        assert (result.imported_count, len(result.data)) == (1200, 1000)
        last = await read_conversation(repository, result.data[-1].id)
        assert [message.content for message in last.messages] == ["Why?", "999"]


@pytest.mark.parametrize(
    ("settings", "body", "setting"),
    [
        (
            {"import_memory_bytes": 2**20},
            to_json([open_webui_answer("x" * 30_000_000)]),
            "SMOLCHAT_IMPORT_MEMORY_BYTES",
        ),
        (
            {"import_seconds": 0.01},
            to_json([open_webui_answer("x" * SMALL_BYTES)]),
            "SMOLCHAT_IMPORT_SECONDS",
        ),
        (
            {"max_import_messages": 1},
            to_json([open_webui_answer("x")]),
            "SMOLCHAT_MAX_IMPORT_MESSAGES",
        ),
    ],
)
async def test_file_over_a_limit_is_refused_with_the_setting(
    tmp_path: Path, settings: dict[str, Any], body: bytes, setting: str
) -> None:
    async with importer(tmp_path, **settings) as importing:
        with pytest.raises(InvalidRequestError, match=setting):
            await importing.run(body)
        assert await importing.counts() == [0, 0, 0]


async def test_cancelled_import_leaves_nothing(tmp_path: Path) -> None:
    chats = [open_webui_answer(str(number)) for number in range(1500)]
    async with importer(tmp_path) as importing:
        task = asyncio.create_task(importing.run(to_json(chats)))
        while (await importing.counts())[1] == 0:
            assert not task.done()
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await importing.counts() == [0, 0, 0]
        assert (await importing.run(to_json(chats[:1]))).imported_count == 1


async def test_further_imports_are_refused_with_the_setting(tmp_path: Path) -> None:
    async with importer(tmp_path, max_imports=1) as importing:
        with (
            importing.runner.file(),
            pytest.raises(TooManyRequestsError, match="SMOLCHAT_MAX_IMPORTS"),
        ):
            await importing.run(b"[]")
        with pytest.raises(SmolChatError, match="no chats"):
            await importing.run(b"[]")


async def test_client_that_leaves_while_uploading_imports_nothing(tmp_path: Path) -> None:
    async def half_a_body() -> AsyncIterator[bytes]:
        yield to_json([open_webui_answer("x")])
        raise ClientDisconnect

    async with importer(tmp_path) as importing:
        file: IO[bytes]
        with importing.runner.file() as file, pytest.raises(ClientDisconnectedError):
            await write_body(half_a_body(), file)
        assert await importing.counts() == [0, 0, 0]
