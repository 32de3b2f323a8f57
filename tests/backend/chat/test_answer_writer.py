"""Answers that cannot be saved, with databases that really fail."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from backend.chat.answer_writer import RETRY_SECONDS, SAVE_INTERVAL_SECONDS, AnswerWriter
from backend.completions.active_answers import ActiveAnswers
from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import FILE_NAME, Database
from backend.errors import DatabaseUnavailableError
from backend.model_server.answers.message_builder import MessageBuilder
from backend.settings import Settings
from tests.support.api_server import running_api, settings_for
from tests.support.conversations import read_conversation, store_conversation
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.postgres import missing_reason, running_postgres
from tests.support.sse import parse_chunks, text_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

Json = dict[str, Any]
REFUSE = (
    "CREATE TRIGGER refuse BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'disk full'); END"
)


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def chat(client: httpx.Client) -> Json:
    return chat_request(client)


def chat_request(client: httpx.Client) -> Json:
    """Return a chat request that is stored in a new conversation."""
    conversation = client.post("/conversations", json={}).json()["id"]
    messages = [{"role": "user", "content": "Hi"}]
    return {"messages": messages, "stream": True, "smolchat": {"conversation": conversation}}


def stored_answer(client: httpx.Client, chat: Json) -> Json:
    path = f"/conversations/{chat['smolchat']['conversation']}"
    answer: Json = client.get(path).json()["messages"][1]
    return answer


def state_in_file(folder: Path) -> str:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        query = "SELECT state FROM messages WHERE role = 'assistant'"
        return str(database.execute(query).fetchone()[0])


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def process_id(url: str) -> int:
    """Return the process id of a Postgres server."""
    folder = Path(url.partition("host=")[2])
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def end_connections(url: str) -> None:
    """End all other connections to a Postgres server."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock that writers need."""
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def unfinished(*words: str) -> Reply:
    return Reply(headers=EVENTS, chunks=stream_reply(words).chunks[: len(words) + 1], end="hang")


def test_failed_save_ends_the_answer_at_once(
    client: httpx.Client, chat: Json, model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(unfinished("Once", " upon"))
    execute(tmp_path, REFUSE)
    started_at = time.monotonic()
    text = client.post("/chat", json=chat).text
    assert time.monotonic() - started_at < SAVE_INTERVAL_SECONDS + RETRY_SECONDS + 3
    *_, last = [line for line in text.splitlines() if line]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["code"], error["type"]) == ("store_unavailable", "server_error")
    assert "could not be saved" in error["message"]
    assert "[DONE]" not in text
    assert model_server.chat_requests[0].disconnected.wait(1)
    assert state_in_file(tmp_path) == "writing"
    held = stored_answer(client, chat)
    assert (held["content"], held["state"], held["error"]) == ("Once upon", "failed", error)
    execute(tmp_path, "DROP TRIGGER refuse")
    wait_until(lambda: state_in_file(tmp_path) == "failed")
    stored = stored_answer(client, chat)
    assert stored == held | {"updated_at": stored["updated_at"]}


@pytest.mark.parametrize("is_stream", [True, False])
def test_whole_answer_that_could_not_be_saved_is_stored_later_as_failed(
    client: httpx.Client,
    chat: Json,
    model_server: FakeModelServer,
    tmp_path: Path,
    *,
    is_stream: bool,
) -> None:
    if is_stream:
        model_server.replies.append(stream_reply(["The", " end"]))
    execute(tmp_path, REFUSE)
    response = client.post("/chat", json=chat | {"stream": is_stream})
    assert response.status_code == (200 if is_stream else 503)
    assert '"store_unavailable"' in response.text
    execute(tmp_path, "DROP TRIGGER refuse")
    wait_until(lambda: state_in_file(tmp_path) == "failed")
    answer = stored_answer(client, chat)
    assert answer["content"]
    assert answer["error"]["code"] == "store_unavailable"


def test_answer_goes_on_while_another_process_writes(
    client: httpx.Client, chat: Json, model_server: FakeModelServer, tmp_path: Path
) -> None:
    words = [f"word{number} " for number in range(20)]
    model_server.replies.append(stream_reply(words, interval_seconds=0.1))
    with ThreadPoolExecutor() as pool:
        response = pool.submit(client.post, "/chat", json=chat)
        wait_until(lambda: len(model_server.chat_requests) == 1)
        with locked(tmp_path):
            time.sleep(1.5)
        text = text_of(parse_chunks(response.result().text))
    answer = stored_answer(client, chat)
    assert (text, answer["content"], answer["state"]) == (
        "".join(words),
        "".join(words),
        "finished",
    )


def test_answer_whose_client_leaves_while_saving_fails_is_stored_later_as_stopped(
    client: httpx.Client, chat: Json, model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(unfinished("Once"))
    execute(tmp_path, REFUSE)
    with client.stream("POST", "/chat", json=chat) as response:
        for line in response.iter_lines():
            if "Once" in line:
                break
    assert model_server.chat_requests[0].disconnected.wait(1)
    time.sleep(2 * RETRY_SECONDS)
    assert state_in_file(tmp_path) == "writing"
    execute(tmp_path, "DROP TRIGGER refuse")
    wait_until(lambda: state_in_file(tmp_path) != "writing")
    answer = stored_answer(client, chat)
    assert (answer["content"], answer["state"], answer["error"]) == ("Once", "stopped", None)


def test_failure_of_the_model_is_reported_before_that_of_the_database(
    client: httpx.Client, chat: Json, model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(Reply(status=500))
    execute(tmp_path, REFUSE)
    assert client.post("/chat", json=chat).json()["error"]["code"] == "model_server_failed"


@pytest.mark.skipif(bool(missing_reason()), reason=missing_reason())
@pytest.mark.parametrize("is_lost_for_good", [True, False])
def test_lost_connection_ends_the_answer_unless_it_can_be_made_again(
    model_server: FakeModelServer, *, is_lost_for_good: bool
) -> None:
    words = [f"word{number} " for number in range(25)]
    model_server.replies.append(stream_reply(words, interval_seconds=0.1))
    with running_postgres() as url, ThreadPoolExecutor() as pool:
        settings = settings_for(model_server, database_url=url)
        with running_api(settings) as api_url, httpx.Client(base_url=api_url, timeout=60) as client:
            chat = chat_request(client)
            response = pool.submit(client.post, "/chat", json=chat)
            wait_until(lambda: len(model_server.chat_requests) == 1)
            if is_lost_for_good:
                os.kill(process_id(url), signal.SIGQUIT)  # at once, without closing connections
            else:
                end_connections(url)
            text = response.result().text
    assert ("store_unavailable" in text) == is_lost_for_good
    assert ("[DONE]" in text) != is_lost_for_good
    assert model_server.chat_requests[0].disconnected.is_set() == is_lost_for_good


class FailingRepository(ConversationRepository):
    """Fails as often as the test says."""

    def __init__(self, database: Database, failures: int) -> None:
        super().__init__(database)
        self.failures = failures

    async def update_answer(self, message_id: str, changes: dict[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailableError("The database failed.")
        await super().update_answer(message_id, changes)


async def started_writer(
    database: Database, failures: int
) -> tuple[AnswerWriter, Callable[[], Any]]:
    """Return the writer of a stored answer, and a function that reads that."""
    repository = FailingRepository(database, failures)
    message = Message(role="assistant", state="writing")
    conversation = await store_conversation(repository, Conversation(messages=[message]))
    builder = MessageBuilder("One")
    with ActiveAnswers(0).begin(conversation.id) as answer:
        message_id = conversation.messages[0].id
        writer = AnswerWriter(message_id, builder, repository, answer, asyncio.Event())

    async def read() -> Message:
        return (await read_conversation(repository, conversation.id)).messages[0]

    return writer, read


@pytest.mark.anyio
@pytest.mark.parametrize("failures", [0, 1, 3])
async def test_failure_of_a_moment_does_not_end_an_answer(
    database: Database, failures: int
) -> None:
    writer, read = await started_writer(database, failures)
    writer.schedule_save()
    await asyncio.sleep(SAVE_INTERVAL_SECONDS + RETRY_SECONDS)
    assert (await read()).content == "One"
    await writer.finish("finished", {})
    assert (writer.error, (await read()).state) == (None, "finished")


@pytest.mark.anyio
async def test_nothing_is_saved_over_an_answer_that_failed(database: Database) -> None:
    writer, read = await started_writer(database, 100)
    writer.schedule_save()
    with pytest.raises(DatabaseUnavailableError):
        await asyncio.wait_for(writer._answer.wait_for(asyncio.Event().wait), 10)
    assert type(writer.error) is DatabaseUnavailableError
    writer._repository.failures = 0  # type: ignore[attr-defined]
    writer.schedule_save()
    await writer.finish("stopped", {})
    await asyncio.sleep(SAVE_INTERVAL_SECONDS + 0.5)
    assert (await read()).state == "failed"


@pytest.mark.anyio
async def test_shutdown_ends_the_tries_to_save(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    writer, _ = await started_writer(database, 100)
    with pytest.raises(DatabaseUnavailableError):
        await writer.finish("finished", {})
    writer._shutting_down.set()
    await asyncio.sleep(0.1)
    assert "never saved" in caplog.text
