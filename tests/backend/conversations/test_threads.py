"""Threads, whose messages are known by the ids that clients give them, in both databases."""

import asyncio
import secrets

import pytest

from backend.conversations.conversation import Message
from backend.conversations.repository import ConversationRepository
from backend.conversations.threads import SentMessage, StoredThread, ThreadRepository
from backend.conversations.tool_messages import ToolMessages
from backend.conversations.trash import Trash
from backend.database.database import Database
from backend.errors import ConversationFullError
from tests.support.conversations import read_conversation

pytestmark = pytest.mark.anyio


@pytest.fixture
def thread_id() -> str:
    return f"thread-{secrets.token_hex(4)}"  # the databases of several tests are the same


@pytest.fixture
def repository(database: Database, thread_id: str) -> ThreadRepository:
    return ThreadRepository(database, thread_id, 500)


def messages(thread_id: str, count: int) -> list[SentMessage]:
    roles = ["user", "assistant"]
    return [
        SentMessage(f"{thread_id}-{n}", {"role": roles[n % 2], "content": f"Message {n}"})
        for n in range(count)
    ]


async def store(repository: ThreadRepository, sent: list[SentMessage]) -> StoredThread:
    thread = await repository.find(sent)
    await repository.append(thread, sent)
    return thread


async def test_long_history_is_stored_once_in_its_order(
    repository: ThreadRepository, database: Database, thread_id: str
) -> None:
    sent = messages(thread_id, 450)
    thread = await store(repository, sent[:430])
    assert (thread.known, thread.last_id) == (0, sent[429].id)
    thread = await store(repository, sent)
    assert (thread.known, thread.last_id) == (430, sent[-1].id)
    stored = await read_conversation(ConversationRepository(database), thread_id)
    assert [message.id for message in stored.messages] == [message.id for message in sent]
    assert [m.parent for m in stored.messages] == [None, *(m.id for m in sent[:-1])]
    assert (stored.title, stored.current) == ("Message 0", sent[-1].id)


async def test_deleted_thread_is_restored_by_its_client(
    database: Database, repository: ThreadRepository, thread_id: str
) -> None:
    sent, trash = messages(thread_id, 4), Trash(database, 1)
    await store(repository, sent[:2])
    await trash.delete(thread_id)
    await store(repository, sent)
    stored = await read_conversation(ConversationRepository(database), thread_id)
    assert [message.id for message in stored.messages] == [message.id for message in sent]


async def test_messages_that_follow_known_ones_of_long_ago_are_a_branch(
    repository: ThreadRepository, database: Database, thread_id: str
) -> None:
    sent = messages(thread_id, 10)
    await store(repository, sent)
    others = messages(f"{thread_id}-other", 230)
    thread = await store(repository, [*sent[:2], *others])
    assert (thread.known, thread.last_id) == (2, others[-1].id)
    stored = await read_conversation(ConversationRepository(database), thread_id)
    assert stored.messages[10].parent == sent[1].id
    assert stored.current == others[-1].id


async def test_id_of_another_conversation_is_replaced_by_a_lasting_one(
    repository: ThreadRepository, database: Database, thread_id: str
) -> None:
    sent = messages(thread_id, 3)
    await store(repository, sent)
    other = ThreadRepository(database, f"{thread_id}-2", 500)
    first = await store(other, sent)
    again = await other.find(sent)
    assert again.last_id == first.last_id != sent[-1].id
    assert again.known == 3


async def test_several_requests_at_once_store_what_they_send(
    repository: ThreadRepository, database: Database, thread_id: str
) -> None:
    sent = messages(thread_id, 1)
    found = [await repository.find(sent) for _ in range(3)]
    await asyncio.gather(*(repository.append(thread, sent) for thread in found))
    stored = await read_conversation(ConversationRepository(database), thread_id)
    assert len(stored.messages) == 3
    assert {message.id for message in stored.messages} == {thread.last_id for thread in found}


async def test_results_of_the_api_are_found_behind_their_calls(
    repository: ThreadRepository, database: Database, thread_id: str
) -> None:
    sent = messages(thread_id, 2)
    await store(repository, sent)
    tool_messages = ToolMessages(database, thread_id)
    last = sent[-1].id
    for call, state in (("a", "finished"), ("b", "awaiting_approval"), ("c", "failed")):
        result = Message(
            role="tool", content=f"of {call}", tool_call_id=call, step={"state": state}
        )
        await tool_messages.append(result, after=last)
        last = result.id
    thread = await repository.find(sent)
    assert (thread.known, thread.last_id) == (2, last)
    assert {call: result.text for call, result in thread.results.items()} == {
        "a": "of a",
        "c": "of c",
    }


async def test_thread_with_too_many_messages_is_refused(
    database: Database, repository: ThreadRepository, thread_id: str
) -> None:
    sent = messages(thread_id, 5)
    limited = ThreadRepository(database, thread_id, 4)
    with pytest.raises(ConversationFullError):
        await limited.append(StoredThread(), sent)
    await store(repository, sent[:3])
    with pytest.raises(ConversationFullError):
        await store(limited, sent[:4])
