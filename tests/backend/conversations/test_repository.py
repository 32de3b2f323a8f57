"""The conversation repository, in both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.listing import ConversationLists
from backend.conversations.repository import ConversationRepository, Turn
from backend.database.database import Database
from backend.errors import ConversationNotFoundError, MessageNotFoundError
from tests.support.conversations import (
    active_branch,
    database_of,
    read_conversation,
    store_conversation,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def repository(database: Database) -> AsyncIterator[ConversationRepository]:
    repository = ConversationRepository(database)
    yield repository
    for conversation_id in await repository.list_ids():
        await repository.delete(conversation_id)


async def create_conversation(repository: ConversationRepository, title: str = "") -> str:
    return (await store_conversation(repository, Conversation(title=title))).id


async def create_turn(
    repository: ConversationRepository, conversation_id: str, text: str, parent: str | None = None
) -> Turn:
    question = Message(role="user", content=text, parent=parent)
    answer = Message(role="assistant", state="writing")
    return await repository.create_turn(conversation_id, question, answer)


async def test_inserted_conversation_is_returned_unchanged(
    repository: ConversationRepository,
) -> None:
    message = Message(
        role="assistant",
        content='Grüße "\\" \U0001f600\n',
        parts=[{"type": "text", "text": "\0"}],
        reasoning="Hm.",
        tool_calls=[{"id": "1"}],
        logprobs=[{"token": "a", "logprob": -0.1}],
        model="m",
        parameters={"seed": 2**40, "stop": []},
        state="failed",
        receipt={"total_ms": 1.5},
        error={"message": "No."},
    )
    original = Conversation(title="T", model="m", system_prompt="S", parameters={"top_p": 0.5})
    original.messages, original.current, original.sent_from = [message], message.id, message.id
    summary = await store_conversation(repository, original)
    stored = await read_conversation(repository, summary.id)
    references = {"id", "current", "sent_from", "messages"}
    assert stored.model_dump(exclude=references) == original.model_dump(exclude=references)
    assert stored.messages[0].model_dump(exclude={"id"}) == message.model_dump(exclude={"id"})
    assert stored.current == stored.sent_from == stored.messages[0].id


async def test_turn_is_stored_below_its_parent_and_sets_the_title(
    repository: ConversationRepository,
) -> None:
    conversation = await create_conversation(repository)
    first = await create_turn(repository, conversation, "What is\n a llama?")
    second = await create_turn(repository, conversation, "And a camel?", first.answer_message_id)
    stored = await read_conversation(repository, conversation)
    assert [message.parent for message in stored.messages] == [
        None,
        first.user_message_id,
        first.answer_message_id,
        second.user_message_id,
    ]
    assert stored.title == "What is a llama?"
    assert stored.current == second.answer_message_id
    assert active_branch(stored) == stored.messages


async def test_regenerated_answers_and_edited_questions_are_siblings(
    repository: ConversationRepository,
) -> None:
    conversation = await create_conversation(repository)
    first = await create_turn(repository, conversation, "Hello")
    regenerated = await create_turn(repository, conversation, "Hello", first.user_message_id)
    edited = await create_turn(repository, conversation, "Hello you")
    assert regenerated.user_message_id == first.user_message_id
    stored = await read_conversation(repository, conversation)
    assert [message.id for message in stored.messages if message.parent is None] == [
        first.user_message_id,
        edited.user_message_id,
    ]
    answers = [first.answer_message_id, regenerated.answer_message_id]
    siblings = [
        message.id for message in stored.messages if message.parent == first.user_message_id
    ]
    assert siblings == answers
    assert [message.content for message in active_branch(stored)] == ["Hello you", ""]


async def test_delete_message_deletes_its_descendants(repository: ConversationRepository) -> None:
    conversation = await create_conversation(repository)
    first = await create_turn(repository, conversation, "One")
    second = await create_turn(repository, conversation, "Two", first.answer_message_id)
    await repository.delete_message(conversation, second.user_message_id)
    stored = await read_conversation(repository, conversation)
    assert [message.id for message in stored.messages] == [
        first.user_message_id,
        first.answer_message_id,
    ]
    assert stored.current == first.answer_message_id
    with pytest.raises(MessageNotFoundError):
        await repository.delete_message(conversation, second.answer_message_id)


async def test_sent_from_moves_to_the_edited_version_when_its_message_is_deleted(
    repository: ConversationRepository,
) -> None:
    conversation = await create_conversation(repository)
    first = await create_turn(repository, conversation, "One")
    old = await create_turn(repository, conversation, "Two", first.answer_message_id)
    new = await create_turn(repository, conversation, "Two!", first.answer_message_id)
    await repository.update(conversation, {"sent_from": old.user_message_id})
    await repository.delete_message(conversation, old.user_message_id)
    assert (await read_conversation(repository, conversation)).sent_from == new.user_message_id
    await repository.delete_message(conversation, new.user_message_id)
    assert (await read_conversation(repository, conversation)).sent_from is None


async def test_concurrent_delete_leaves_no_reference_to_a_deleted_message(
    repository: ConversationRepository,
) -> None:
    conversation = await create_conversation(repository)
    first = await create_turn(repository, conversation, "One")
    for _ in range(10):
        turn = await create_turn(repository, conversation, "Two", first.answer_message_id)
        references = {"current": turn.answer_message_id, "sent_from": turn.user_message_id}
        await repository.update(conversation, {"current": first.answer_message_id})
        await asyncio.gather(
            repository.update(conversation, references),
            repository.delete_message(conversation, turn.user_message_id),
            return_exceptions=True,
        )
        stored = await read_conversation(repository, conversation)
        assert stored.current == first.answer_message_id
        assert stored.sent_from is None


async def test_empty_message_id_is_valid(repository: ConversationRepository) -> None:
    messages = [Message(id="", role="user", content="One"), Message(role="assistant", parent="")]
    summary = await store_conversation(repository, Conversation(messages=messages))
    first, second = (await read_conversation(repository, summary.id)).messages
    assert (first.parent, second.parent) == (None, first.id)


async def test_branch_of_thousands_of_messages_can_be_deleted(
    repository: ConversationRepository,
) -> None:
    messages = [Message(role="user", content="Hi")]
    for _ in range(3000):
        messages.append(Message(role="user", content="Hi", parent=messages[-1].id))
    summary = await store_conversation(repository, Conversation(messages=messages))
    stored = await read_conversation(repository, summary.id)
    assert len(active_branch(stored)) == 3001
    await repository.delete_message(summary.id, stored.messages[0].id)
    assert (await read_conversation(repository, summary.id)).messages == []


async def test_message_of_another_conversation_is_not_found(
    repository: ConversationRepository,
) -> None:
    first_id = await create_conversation(repository)
    second_id = await create_conversation(repository)
    turn = await create_turn(repository, first_id, "Hello")
    with pytest.raises(MessageNotFoundError):
        await create_turn(repository, second_id, "Hello", turn.answer_message_id)
    with pytest.raises(MessageNotFoundError):
        await repository.delete_message(second_id, turn.user_message_id)
    with pytest.raises(MessageNotFoundError):
        await repository.update(second_id, {"current": turn.user_message_id})
    assert (await read_conversation(repository, second_id)).messages == []


async def test_unknown_conversation_is_not_found(repository: ConversationRepository) -> None:
    for unknown_id in ("", "x", "\0", "' OR 1=1 --", "x" * 100_000):
        with pytest.raises(ConversationNotFoundError):
            await read_conversation(repository, unknown_id)
        with pytest.raises(ConversationNotFoundError):
            await repository.delete(unknown_id)
        with pytest.raises(ConversationNotFoundError):
            await create_turn(repository, unknown_id, "Hello")


async def test_pages_follow_each_other_newest_first(repository: ConversationRepository) -> None:
    ids = [await create_conversation(repository, str(number)) for number in range(5)]
    await create_turn(repository, ids[0], "Now the newest")
    newest_first = [ids[0], *ids[:0:-1]]
    lists = ConversationLists(database_of(repository))
    first = await lists.page(2)
    second = await lists.page(2, after=first[-1].id)
    third = await lists.page(2, after=second[-1].id)
    assert [summary.id for summary in [*first, *second, *third]] == newest_first
    with pytest.raises(ConversationNotFoundError):
        await lists.page(2, after="unknown")


async def test_concurrent_writes_all_succeed(repository: ConversationRepository) -> None:
    conversation = await create_conversation(repository)
    turns = await asyncio.gather(
        *(create_turn(repository, conversation, str(n)) for n in range(40))
    )
    await asyncio.gather(
        *(repository.update_answer(turn.answer_message_id, {"state": "finished"}) for turn in turns)
    )
    stored = await read_conversation(repository, conversation)
    assert [message.state for message in stored.messages].count("finished") == 40
