"""Answers of processes that are gone are interrupted; those of others go on."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from backend.completions.active_answers import ActiveAnswers
from backend.conversations.api_processes import ApiProcesses
from backend.conversations.conversation import Conversation, Message
from backend.conversations.process_locks import ProcessLocks
from backend.conversations.repository import ConversationRepository
from backend.conversations.tool_messages import ToolMessages
from backend.database.database import Database, open_database
from backend.database.tables import api_processes, messages
from backend.database.types import utc_now
from backend.errors import AnswerStoppedError
from backend.model_server.answers.message_builder import MessageBuilder
from backend.settings import Settings
from tests.support.conversations import read_conversation

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
NO_PID = 2**22 + 1  # beyond Linux's largest process id
HOLD_LOCK = """
import pathlib, sys, time
from backend.conversations.process_locks import ProcessLocks
locks = ProcessLocks(pathlib.Path(sys.argv[1]))
locks.hold(sys.argv[2])
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def locks(tmp_path: Path) -> ProcessLocks:
    return ProcessLocks(tmp_path)


@pytest.fixture
async def other(database_settings: Settings) -> AsyncIterator[Database]:
    """Another process's view of the database."""
    async with open_database(database_settings) as other:
        yield other


async def begin_answer(database: Database) -> str:
    """Store an answer that is being written; return its conversation."""
    repository = ConversationRepository(database)
    conversation = Conversation()
    await repository.insert(conversation)
    answer = Message(role="assistant", content="Hel", state="writing")
    await repository.create_turn(conversation.id, Message(role="user", content="Hi"), answer)
    return conversation.id


async def states(database: Database, conversation: str) -> list[str | None]:
    stored = await read_conversation(ConversationRepository(database), conversation)
    return [message.state for message in stored.messages]


async def change_process(database: Database, **values: object) -> None:
    async with database.write_transaction() as connection:
        query = update(api_processes).where(api_processes.c.id == database.process_id)
        await connection.execute(query.values(values))


async def test_start_of_a_process_leaves_the_answers_of_others(
    database: Database, other: Database, locks: ProcessLocks
) -> None:
    conversation = await begin_answer(other)
    await ApiProcesses(database, ActiveAnswers(0), locks).interrupt_orphans(at_start=True)
    assert await states(database, conversation) == [None, "writing"]
    assert await states(other, conversation) == [None, "writing"]


@pytest.mark.parametrize("reason", ["killed", "ended", "unknown"])
async def test_answers_of_a_process_that_is_gone_are_interrupted_at_the_next_start(
    database: Database, other: Database, locks: ProcessLocks, reason: str
) -> None:
    conversation = await begin_answer(other)
    if reason == "killed":
        await change_process(other, pid=NO_PID)
    elif reason == "ended":
        await ApiProcesses(other, ActiveAnswers(0), locks).close()
    else:  # of a version that did not store it
        async with database.write_transaction() as connection:
            await connection.execute(update(messages).values(writer=None))
    await ApiProcesses(database, ActiveAnswers(0), locks).interrupt_orphans(at_start=True)
    assert await states(database, conversation) == [None, "interrupted"]


@pytest.mark.parametrize("namespace", ["pid:[1]", None])
async def test_killed_container_is_gone_at_the_next_start(
    database: Database, other: Database, tmp_path: Path, namespace: str | None
) -> None:
    """Linux may give it the same namespace again, in which a process has its id."""
    conversation = await begin_answer(other)
    if namespace:
        query = select(api_processes.c.host).where(api_processes.c.id == other.process_id)
        async with database.read_transaction() as connection:
            host = (await connection.execute(query)).scalar_one()
        await change_process(other, host=f"{host.partition(' ')[0]} {namespace}")
    arguments = [sys.executable, "-c", HOLD_LOCK, str(tmp_path), other.process_id]
    holder = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    assert holder.stdout
    assert await holder.stdout.readline()
    processes = ApiProcesses(database, ActiveAnswers(0), ProcessLocks(tmp_path))
    await processes.interrupt_orphans(at_start=True)
    assert await states(database, conversation) == [None, "writing"]
    holder.kill()
    await holder.wait()
    await processes.interrupt_orphans(at_start=True)
    assert await states(database, conversation) == [None, "interrupted"]


def test_lock_ends_with_its_process_and_is_unknown_after_its_release(tmp_path: Path) -> None:
    mine, others = ProcessLocks(tmp_path / "locks"), ProcessLocks(tmp_path / "locks")
    assert not others.is_free("a1")
    mine.hold("a1")
    assert not others.is_free("a1")
    mine.release("a1")
    assert not others.is_free("a1")
    assert not list((tmp_path / "locks").iterdir())


def test_locks_of_killed_processes_are_removed_after_a_day(tmp_path: Path) -> None:
    held = ProcessLocks(tmp_path)
    held.hold("a1")
    for name in ("a1", "b2", "c3"):
        path = tmp_path / f"{name}.lock"
        path.touch()
        os.utime(path, (0, 0) if name != "c3" else None)
    ProcessLocks(tmp_path).hold("d4")
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a1", "c3", "d4"]


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    locks = ProcessLocks(tmp_path / "file")
    locks.hold("a1")
    locks.release("a1")
    assert not locks.is_free("a1")


@pytest.mark.parametrize("is_alive", [True, False])
async def test_process_elsewhere_that_is_silent_is_gone(
    database: Database, other: Database, locks: ProcessLocks, *, is_alive: bool
) -> None:
    conversation = await begin_answer(other)
    # Times of other machines are not compared with ours.
    await change_process(other, host="elsewhere", pid=NO_PID, touched_at=utc_now() - HOUR)
    processes = ApiProcesses(database, ActiveAnswers(0), locks, gone_seconds=0.1)
    await processes.interrupt_orphans(at_start=True)
    await asyncio.sleep(0.2)
    if is_alive:
        await change_process(other, touched_at=utc_now() + HOUR)
    await processes.interrupt_orphans()
    state = "writing" if is_alive else "interrupted"
    assert await states(database, conversation) == [None, state]


async def test_stop_reaches_the_answer_of_another_process(
    database: Database, other: Database, locks: ProcessLocks
) -> None:
    conversation = await begin_answer(other)
    answers = ActiveAnswers(0)
    with answers.begin(conversation) as answer:
        repository = ConversationRepository(other)
        stored = await read_conversation(repository, conversation)
        answer.begin_message(stored.messages[1].id, MessageBuilder("Hel"))
    assert await ApiProcesses(database, ActiveAnswers(0), locks).stop(conversation) == 1
    # A save in that second does not undo it.
    await repository.update_answer(stored.messages[1].id, {"content": "Hell", "state": "writing"})
    watch = asyncio.create_task(ApiProcesses(other, answers, locks).run())
    with pytest.raises(AnswerStoppedError):
        await asyncio.wait_for(answer.wait_for(asyncio.Event().wait), 10)
    watch.cancel()
    await asyncio.wait([watch])


async def test_step_of_a_process_that_is_gone_is_interrupted(
    database: Database, other: Database, locks: ProcessLocks
) -> None:
    conversation = await begin_answer(other)
    tool_messages = ToolMessages(other, conversation)
    step = {"id": "c1", "tool": "calculator", "state": "running"}
    message = Message(role="tool", tool_call_id="c1", step=step, state="writing")
    await tool_messages.append(message, after=await tool_messages.last_id(None))
    await ApiProcesses(other, ActiveAnswers(0), locks).close()
    await ApiProcesses(database, ActiveAnswers(0), locks).interrupt_orphans(at_start=True)
    stored = await read_conversation(ConversationRepository(database), conversation)
    assert [each.state for each in stored.messages[1:]] == ["interrupted", "interrupted"]
    assert stored.messages[2].step == step | {"state": "interrupted"}
