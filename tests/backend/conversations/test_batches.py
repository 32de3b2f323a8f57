"""Batches of conversations, in both databases."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.conversations.batches import ABANDONED_AFTER, Batches
from backend.conversations.conversation import Conversation, Message
from backend.conversations.imports.stored_rows import stored_row
from backend.conversations.repository import ConversationRepository
from backend.conversations.rows import get_conversation_row
from backend.database.database import Database
from backend.database.tables import conversations, messages, pending_batches
from backend.database.types import utc_now
from backend.errors import ConversationNotFoundError, DatabaseUnavailableError
from tests.support.conversations import read_conversation, store_conversation

pytestmark = pytest.mark.anyio


@pytest.fixture
async def repository(database: Database) -> AsyncIterator[ConversationRepository]:
    repository = ConversationRepository(database)
    yield repository
    for conversation_id in await repository.list_ids():
        await repository.delete(conversation_id)


def branch(length: int, **fields: Any) -> Conversation:
    added = [Message(role="user", content="0")]
    for number in range(1, length):
        added.append(Message(role="user", content=str(number), parent=added[-1].id))
    return Conversation(messages=added, current=added[-1].id, **fields)


async def count(database: Database, *conditions: Any) -> int:
    query = select(func.count()).select_from(messages).where(*conditions)
    async with database.read_transaction() as connection:
        return int((await connection.execute(query)).scalar_one())


async def insert_conversation(batches: Batches, batch: str, title: str) -> str:
    conversation = Conversation(title=title)
    row = stored_row(conversations, conversation.model_dump())
    await batches.insert(batch, conversations, [row])
    return conversation.id


async def test_nobody_sees_a_pending_batch(
    database: Database, repository: ConversationRepository
) -> None:
    batches = Batches(database)
    async with batches.adding() as batch:
        conversation = await insert_conversation(batches, batch, "Hidden")
        assert await repository.list_ids() == []
        for attempt in (
            repository.delete(conversation),
            repository.duplicate(conversation),
            repository.update(conversation, {"title": "T"}),
            repository.check_exists(conversation),
            read_conversation(repository, conversation),
        ):
            with pytest.raises(ConversationNotFoundError):
                await attempt
    assert await repository.list_ids() == [conversation]


async def test_failed_batch_is_deleted(database: Database) -> None:
    batches = Batches(database)
    with pytest.raises(ZeroDivisionError):
        async with batches.adding() as batch:
            for number in range(120):
                await insert_conversation(batches, batch, str(number))
            raise ZeroDivisionError
    async with database.read_transaction() as connection:
        for table in (conversations, pending_batches):
            assert (await connection.execute(select(table))).all() == []


async def test_abandoned_batch_is_deleted_and_cannot_be_completed(database: Database) -> None:
    batches = Batches(database)
    with pytest.raises(DatabaseUnavailableError):
        async with batches.adding() as batch:
            conversation = await insert_conversation(batches, batch, "T")
            await batches.discard_abandoned()  # not yet
            long_ago = utc_now() - 2 * ABANDONED_AFTER
            async with database.write_transaction() as connection:
                await connection.execute(update(pending_batches).values(touched_at=long_ago))
            await batches.discard_abandoned()
    async with database.read_transaction() as connection:
        assert (await connection.execute(select(conversations))).all() == []
        with pytest.raises(ConversationNotFoundError):
            await get_conversation_row(connection, conversation)


async def test_long_conversation_is_copied_and_deleted_while_others_write(
    database: Database, repository: ConversationRepository
) -> None:
    original = await store_conversation(repository, branch(1300, title="Long"))
    copying = asyncio.create_task(repository.duplicate(original.id))
    while not copying.done():
        await repository.update(original.id, {"title": "New"})
    copy = await read_conversation(repository, copying.result())
    assert copy.title in ("Long (copy)", "New (copy)")
    assert [m.content for m in copy.messages] == [m.content for m in original.messages]
    assert copy.current == copy.messages[-1].id
    assert not {m.id for m in copy.messages} & {m.id for m in original.messages}
    deleting = asyncio.create_task(repository.delete(original.id))
    while not deleting.done():
        await repository.update(copy.id, {"title": "New"})
    await deleting
    assert await count(database) == 1300
    assert await count(database, messages.c.conversation == original.id) == 0
