"""Conversations as they are read: whole, by pages, and with changes that are not written yet."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database
from backend.errors import ConversationFullError
from tests.support.api_server import api_client_with
from tests.support.conversations import read_conversation, store_conversation
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import HELLO

pytestmark = pytest.mark.anyio


def branch(length: int, **fields: Any) -> Conversation:
    added: list[Message] = []
    for number in range(length):
        parent = added[-1].id if added else None
        added.append(Message(role="user", content=str(number), parent=parent, **fields))
    return Conversation(title="T", messages=added)


@pytest.mark.parametrize(
    "message",
    [
        Message(role="user", content="x" * 300_000, logprobs=[{"token": "x" * 400_000}]),
        Message(role="assistant", parameters={"x": "Infinity", "y": "NaN"}, receipt={"a": 1e300}),
        Message(role="tool", content='"\\\u2028\x7f', tool_calls=[], parts=[{"a": [None, 1.5]}]),
    ],
)
async def test_messages_of_any_size_are_read_as_they_were_stored(
    database: Database, message: Message
) -> None:
    repository = ConversationRepository(database)
    several = [message.model_copy(update={"id": str(number)}) for number in range(5)]
    stored = await store_conversation(repository, Conversation(messages=several))
    assert [after.model_dump(exclude={"id"}) for after in stored.messages] == [
        before.model_dump(exclude={"id"}) for before in several
    ]
    await repository.delete(stored.id)


async def test_long_conversation_is_read_in_order(database: Database) -> None:
    repository = ConversationRepository(database)
    stored = await store_conversation(repository, branch(1234))
    assert [message.content for message in stored.messages] == [str(n) for n in range(1234)]
    await repository.delete(stored.id)


async def test_change_that_is_not_written_yet_is_read(database: Database) -> None:
    repository = ConversationRepository(database)
    stored = await store_conversation(repository, branch(2))
    changes = {"state": "failed", "content": "Hel", "error": {"message": "No."}}
    repository.hold_answer(stored.messages[1].id, changes)
    read = (await read_conversation(repository, stored.id)).messages[1]
    assert (read.state, read.content, read.error) == ("failed", "Hel", {"message": "No."})
    await repository.delete(stored.id)


async def import_branch(api: httpx.AsyncClient, length: int) -> dict[str, Any]:
    body = {"format": "smolchat", "conversations": [branch(length).model_dump(mode="json")]}
    [summary] = (await api.post("/conversations/import", json=body)).json()["data"]
    conversation: dict[str, Any] = (await api.get(f"/conversations/{summary['id']}")).json()
    return conversation


async def test_pages_cover_the_conversation_in_both_directions(
    api_client: httpx.AsyncClient,
) -> None:
    stored = await import_branch(api_client, 5)
    path, ids = f"/conversations/{stored['id']}", [m["id"] for m in stored["messages"]]
    assert "has_more" not in stored

    async def page(**query: Any) -> tuple[list[str], bool]:
        reply = (await api_client.get(path, params=query)).json()
        assert reply | {"messages": stored["messages"]} == stored | {"has_more": reply["has_more"]}
        return [message["id"] for message in reply["messages"]], reply["has_more"]

    assert await page(limit=2) == (ids[3:], True)
    assert await page(limit=2, before=ids[3]) == (ids[1:3], True)
    assert await page(limit=2, before=ids[1]) == (ids[:1], False)
    assert await page(limit=2, before=ids[0]) == ([], False)
    assert await page(limit=2, after=ids[0]) == (ids[1:3], True)
    assert await page(limit=2, after=ids[2]) == (ids[3:], False)
    assert await page(after=ids[0]) == (ids[1:], False)
    assert await page(limit=2, after=ids[0], before=ids[4]) == (ids[1:3], True)
    assert await page(after=ids[2], before=ids[4]) == (ids[3:4], False)
    assert await page(after=ids[4], before=ids[0]) == ([], False)
    assert await page(limit=5) == (ids, False)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": 0}, 400),
        ({"limit": 1001}, 400),
        ({"after": "", "before": "b"}, 404),
        ({"after": "unknown"}, 404),
        ({"before": ""}, 404),
    ],
)
async def test_page_that_does_not_exist_is_an_error(
    api_client: httpx.AsyncClient, query: dict[str, Any], status: int
) -> None:
    stored = await import_branch(api_client, 1)
    response = await api_client.get(f"/conversations/{stored['id']}", params=query)
    assert response.status_code == status


async def test_full_conversation_takes_no_more_messages(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    limits = {"data_dir": data_dir, "max_conversation_messages": 4}
    async with api_client_with(model_server, **limits) as api:
        conversation = (await api.post("/conversations", json={})).json()["id"]
        body = HELLO | {"smolchat": {"conversation": conversation}}
        statuses = [(await api.post("/chat", json=body)).status_code for _ in range(2)]
        error = (await api.post("/chat", json=body)).json()["error"]
        assert statuses == [200, 200]
        assert error["code"] == "conversation_full"
        assert "SMOLCHAT_MAX_CONVERSATION_MESSAGES" in error["message"]
        stored = (await api.get(f"/conversations/{conversation}")).json()
        assert len(stored["messages"]) == 4
        copy = await api.post(f"/conversations/{conversation}/duplicate")
        assert len(copy.json()["messages"]) == 4


async def test_conversation_over_the_limit_is_not_copied(database: Database) -> None:
    repository = ConversationRepository(database, 4)
    stored = await store_conversation(repository, branch(5))
    with pytest.raises(ConversationFullError, match="SMOLCHAT_MAX_CONVERSATION_MESSAGES"):
        await repository.duplicate(stored.id)
    await repository.delete(stored.id)
