"""Edited messages, in both databases."""

import asyncio
from typing import Any

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.message_edits import MessageEditor
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database
from backend.errors import (
    ConversationFullError,
    ConversationNotFoundError,
    InvalidRequestError,
    MessageBeingWrittenError,
    MessageNotFoundError,
)
from tests.support.conversations import active_branch, read_conversation, store_conversation

pytestmark = pytest.mark.anyio

PICTURE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def chat(**answer: Any) -> Conversation:
    """Return a conversation of two turns, whose first answer has these fields."""
    question = Message(role="user", content="One", parts=[{"type": "text", "text": "One"}, PICTURE])
    fields = {"content": "Oen", "state": "finished", "parent": question.id, "model": "m"}
    first = Message(role="assistant", **fields | answer)
    later = Message(role="user", content="Two", parent=first.id)
    last = Message(role="assistant", content="Too", state="finished", parent=later.id)
    added = [question, first, later, last]
    return Conversation(messages=added, current=last.id, sent_from=first.id)


@pytest.fixture
def repository(database: Database) -> ConversationRepository:
    return ConversationRepository(database)


@pytest.fixture
def editor(database: Database) -> MessageEditor:
    return MessageEditor(database, 100)


async def test_edited_answer_keeps_what_follows_and_its_former_version(
    repository: ConversationRepository, editor: MessageEditor
) -> None:
    of_its_text = {"receipt": {"total_ms": 1.5}, "logprobs": [{"token": "Oen"}]}
    stored = await store_conversation(repository, chat(reasoning="Hm", **of_its_text))
    answer = stored.messages[1]
    edited = await editor.edit(stored.id, answer.id, "One")
    after = await read_conversation(repository, stored.id)
    assert after.messages[1] == edited
    assert edited.edited_at == edited.updated_at
    assert (edited.id, edited.content, edited.reasoning) == (answer.id, "One", "Hm")
    assert (edited.receipt, edited.logprobs, edited.state) == (None, None, "finished")
    assert [message.id for message in active_branch(after)] == [m.id for m in stored.messages]
    assert (after.current, after.sent_from) == (stored.current, stored.sent_from)
    assert after.messages[4] == answer.model_copy(update={"id": after.messages[4].id})
    assert await editor.edit(stored.id, answer.id, "One") == edited  # nothing to store
    await editor.edit(stored.id, answer.id, "1")
    texts = [
        message.content for message in (await read_conversation(repository, stored.id)).messages
    ]
    assert texts == ["One", "1", "Two", "Too", "Oen", "One"]


async def test_edited_question_keeps_its_images(
    repository: ConversationRepository, editor: MessageEditor
) -> None:
    stored = await store_conversation(repository, chat())
    edited = await editor.edit(stored.id, stored.messages[0].id, "What is this?")
    assert edited.parts == [{"type": "text", "text": "What is this?"}, PICTURE]
    assert edited.state is None
    former = (await read_conversation(repository, stored.id)).messages[4]
    assert (former.parent, former.parts) == (None, stored.messages[0].parts)


async def test_chat_goes_on_with_the_edited_version_when_what_follows_is_deleted(
    repository: ConversationRepository, editor: MessageEditor
) -> None:
    stored = await store_conversation(repository, chat())
    question, answer, later, _ = stored.messages
    await editor.edit(stored.id, question.id, "Zero")
    other = await repository.create_turn(
        stored.id, Message(role="user", content="Other"), Message(role="assistant")
    )
    await editor.edit(stored.id, answer.id, "Nought")
    await repository.delete_message(stored.id, other.user_message_id)
    after = await read_conversation(repository, stored.id)
    branch = [message.content for message in active_branch(after)]
    assert branch == ["Zero", "Nought", "Two", "Too"]
    await repository.delete_message(stored.id, later.id)
    after = await read_conversation(repository, stored.id)
    assert [message.content for message in active_branch(after)] == ["Zero", "Nought"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"role": "tool", "tool_call_id": "c"}, InvalidRequestError),
        ({"state": "writing"}, MessageBeingWrittenError),
    ],
)
async def test_results_and_unfinished_answers_are_not_edited(
    database: Database, editor: MessageEditor, answer: dict[str, Any], error: type[Exception]
) -> None:
    repository = ConversationRepository(database)
    conversation = Conversation()
    await repository.insert(conversation)
    added = Message(**{"role": "assistant"} | answer)
    await repository.create_turn(conversation.id, Message(role="user"), added)
    with pytest.raises(error):
        await editor.edit(conversation.id, added.id, "New")
    assert len((await read_conversation(repository, conversation.id)).messages) == 2


async def test_unknown_messages_and_full_conversations_are_refused(
    database: Database, repository: ConversationRepository
) -> None:
    editor = MessageEditor(database, 6)
    stored, other = [await store_conversation(repository, chat()) for _ in range(2)]
    for unknown in ("", "x\0", other.messages[0].id):
        with pytest.raises(MessageNotFoundError):
            await editor.edit(stored.id, unknown, "New")
    with pytest.raises(ConversationNotFoundError):
        await editor.edit("x", stored.messages[0].id, "New")
    edits = [editor.edit(stored.id, stored.messages[0].id, str(number)) for number in range(5)]
    results = await asyncio.gather(*edits, return_exceptions=True)
    assert [isinstance(result, ConversationFullError) for result in results].count(True) == 3
    assert len((await read_conversation(repository, stored.id)).messages) == 6
