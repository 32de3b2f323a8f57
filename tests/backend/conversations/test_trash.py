"""Deleted conversations, in both databases."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from backend.conversations.conversation import Conversation, Message
from backend.conversations.listing import ConversationLists, ListFilter
from backend.conversations.repository import ConversationRepository
from backend.conversations.search import ConversationSearch
from backend.conversations.trash import Trash
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.errors import ConversationNotFoundError
from backend.monitoring.statistics import DatabaseStatistics
from backend.settings import Settings
from tests.support.conversations import read_conversation
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ids(database: Database) -> list[str]:
    """Store three conversations with a turn each, oldest first."""
    await Trash(database, 0).delete_all()
    await Trash(database, 0).purge()
    repository, ids = ConversationRepository(database), []
    for title in ("a", "b", "c"):
        added = Conversation(title=title, folder="Work", pinned=True)
        await repository.insert(added)
        question = Message(role="user", content=f"needle {title}")
        await repository.create_turn(added.id, question, Message(role="assistant"))
        ids.append(added.id)
    return ids


async def age(database: Database, conversation_id: str, days: float) -> None:
    """Let a conversation have been deleted for longer."""
    query = update(conversations).where(conversations.c.id == conversation_id)
    deleted_at = Trash(database, days).restorable_after
    async with database.write_transaction() as connection:
        await connection.execute(query.values(deleted_at=deleted_at))


async def count_rows(database: Database) -> tuple[int, ...]:
    """Return how many conversations and messages there are, the hidden ones too."""
    queries = [select(func.count()).select_from(table) for table in (conversations, messages)]
    async with database.read_transaction() as connection:
        return tuple([(await connection.execute(query)).scalar_one() for query in queries])


async def test_deleted_conversation_is_nowhere_until_it_is_restored(
    database: Database, ids: list[str]
) -> None:
    repository, trash = ConversationRepository(database), Trash(database, 1)
    lists = ConversationLists(database)
    search = ConversationSearch(database, Settings(model_id=MODEL_ID))
    before, original = await lists.page(10), await read_conversation(repository, ids[1])
    assert await trash.delete(ids[1]) is not None

    assert [one.title for one in await lists.page(10)] == ["c", "a"]
    assert [one.title for one in await search.list_page("needle", 10)] == ["c", "a"]
    assert await repository.list_ids() == [ids[0], ids[2]]
    statistics = await DatabaseStatistics(database).collect(5)
    assert (statistics.conversations, statistics.messages) == (2, 4)
    question, answer = Message(role="user"), Message(role="assistant")
    for attempt in (
        repository.check_exists(ids[1]),
        read_conversation(repository, ids[1]),
        repository.update(ids[1], {"title": "New"}),
        repository.duplicate(ids[1]),
        repository.create_turn(ids[1], question, answer),
        repository.delete_message(ids[1], original.messages[0].id),
        trash.delete(ids[1]),
    ):
        with pytest.raises(ConversationNotFoundError):
            await attempt

    assert [one.id for one in await lists.page(10, after=ids[1])] == [ids[0]]
    for _ in range(2):
        assert (await trash.restore(ids[1])).title == "b"
    assert await lists.page(10) == before
    assert await read_conversation(repository, ids[1]) == original


async def test_trash_is_listed_and_searched_by_the_time_of_deletion(
    database: Database, ids: list[str]
) -> None:
    trash = Trash(database, 1)
    lists = ConversationLists(database)
    search = ConversationSearch(database, Settings(model_id=MODEL_ID))
    for one in (ids[1], ids[0], ids[2]):
        await trash.delete(one)
    listed = ListFilter(deleted_after=trash.restorable_after, folder="Work")
    for text in ("", "needle"):
        first = await search.list_page(text, 2, listed)
        rest = await search.list_page(text, 2, listed, after=first[-1].id)
        assert [one.title for one in [*first, *rest]] == ["c", "a", "b"]
        assert all(one.deleted_at for one in first)
    await trash.restore(ids[0])
    with pytest.raises(ConversationNotFoundError):
        await lists.page(2, listed, after=ids[0])


@pytest.mark.parametrize("is_permanent", [True, False])
async def test_conversations_are_gone_for_good(
    database: Database, ids: list[str], *, is_permanent: bool
) -> None:
    trash, kept = Trash(database, 0 if not is_permanent else 1), Trash(database, 1)
    await kept.delete(ids[0])
    assert await trash.delete(ids[1], is_permanent=is_permanent) is None
    if is_permanent:
        assert await trash.delete(ids[0], is_permanent=True) is None
        assert await count_rows(database) == (1, 2)
    else:  # it was kept by another setting
        await trash.purge()
        assert await count_rows(database) == (1, 2)
    for one in ids[:2]:
        with pytest.raises(ConversationNotFoundError):
            await kept.restore(one)


async def test_purge_deletes_what_is_too_old_and_nothing_else(
    database: Database, ids: list[str]
) -> None:
    trash = Trash(database, 1)
    for one in ids[:2]:
        await trash.delete(one)
    await age(database, ids[0], days=1.01)
    listed = ListFilter(deleted_after=trash.restorable_after)
    assert [one.id for one in await ConversationLists(database).page(9, listed)] == [ids[1]]
    with pytest.raises(ConversationNotFoundError):
        await trash.restore(ids[0])
    await asyncio.gather(trash.purge(), trash.purge())
    assert await count_rows(database) == (2, 4)
    await trash.restore(ids[1])
    assert Trash(database, 1).restorable_after - trash.restorable_after < timedelta(seconds=60)


async def test_all_are_deleted_and_restored_one_by_one(database: Database, ids: list[str]) -> None:
    trash = Trash(database, 1)
    assert await trash.delete_all() == 3
    assert await trash.delete_all() == 0
    assert await ConversationLists(database).page(9) == []
    await trash.restore(ids[1])
    assert [one.title for one in await ConversationLists(database).page(9)] == ["b"]
    assert await trash.delete_all(is_permanent=True) == 3
    with pytest.raises(ConversationNotFoundError):
        await trash.restore(ids[0])
    assert trash.has_hidden.is_set()
    await trash.purge()
    assert await count_rows(database) == (0, 0)
