"""Two processes of the API that share a database: answers of one are followed on the other."""

import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.api_process import api_process
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, stream_reply
from tests.support.following import (
    Json,
    ended_answers,
    follow,
    new_conversation,
    read_events,
    stored_answers,
    stored_chat,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
WORDS = [f"word{number} " for number in range(40)]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    return {"SMOLCHAT_DATABASE_URL": request.getfixturevalue("postgres")}


@pytest.fixture
def reader(
    model_server: FakeModelServer, tmp_path: Path, database: dict[str, str]
) -> Iterator[httpx.Client]:
    with api_process(model_server, tmp_path, settings=database) as client:
        yield client


def begin(writer: httpx.Client, reader: httpx.Client, conversation: str) -> None:
    """Have the first process write an answer, and wait until the second sees its text."""
    body = stored_chat(conversation, detach=True)
    threading.Thread(target=_ask, args=[str(writer.base_url), body]).start()
    wait_until(lambda: any(each["content"] for each in stored_answers(reader, conversation)))


def _ask(url: str, body: Json) -> None:
    with suppress(httpx.TransportError):  # the process may be killed
        httpx.post(f"{url}/chat", json=body, timeout=60)


def test_answer_is_followed_and_stopped_on_another_process(
    reader: httpx.Client, model_server: FakeModelServer, tmp_path: Path, database: dict[str, str]
) -> None:
    model_server.replies.append(stream_reply(WORDS, interval_seconds=0.1))
    unfinished = stream_reply(WORDS).chunks[:9]
    model_server.replies.append(Reply(headers=EVENTS, chunks=unfinished, end="hang"))
    with api_process(model_server, tmp_path, settings=database) as writer:
        first = new_conversation(writer)
        begin(writer, reader, first)
        page = follow(reader, first)
        assert (page.text, page.state) == ("".join(WORDS), "finished")
        second = new_conversation(writer)
        begin(writer, reader, second)
        with api_process(model_server, tmp_path, settings=database) as third:  # starts meanwhile
            assert stored_answers(third, second)[0]["state"] == "writing"
        listed = {
            each["id"]: each["active"] for each in reader.get("/conversations").json()["data"]
        }
        assert (listed[first], listed[second]) == (False, True)
        assert reader.post(f"/conversations/{second}/stop").json() == {"stopped": 1}
        [answer] = ended_answers(reader, second)
        assert answer["state"] == "stopped"
        assert model_server.chat_requests[1].disconnected.wait(5)


def test_progress_is_followed_on_another_process(
    reader: httpx.Client, model_server: FakeModelServer, tmp_path: Path, database: dict[str, str]
) -> None:
    parts = [chunk({}, prompt_progress={"processed": n, "total": 4}) for n in (1, 2)]
    model_server.replies.append(Reply(headers=EVENTS, chunks=parts, end="hang"))
    with api_process(model_server, tmp_path, settings=database) as writer:
        conversation = new_conversation(writer)
        body = stored_chat(conversation, detach=True, progress=True)
        threading.Thread(target=_ask, args=[str(writer.base_url), body]).start()
        wait_until(lambda: bool(stored_answers(reader, conversation)))
        with reader.stream("GET", f"/conversations/{conversation}/events") as response:
            events = read_events(response.iter_lines())
            reports = (
                each.extensions["progress"] for each in events if "progress" in each.extensions
            )
            reading = {"phase": "reading", "fraction": 0.5}
            assert next(report for report in reports if report == reading)
            assert reader.post(f"/conversations/{conversation}/stop").json() == {"stopped": 1}
            assert list(reports) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_detached_answer_of_a_process_that_ends_is_interrupted_for_its_followers(
    reader: httpx.Client,
    model_server: FakeModelServer,
    tmp_path: Path,
    database: dict[str, str],
    end: signal.Signals,
) -> None:
    model_server.replies.append(stream_reply(WORDS, interval_seconds=0.3))
    with api_process(model_server, tmp_path, settings=database, end=end) as writer:
        conversation = new_conversation(writer)
        begin(writer, reader, conversation)
    page = follow(reader, conversation)  # that ends, and at once if it has been stored already
    [answer] = stored_answers(reader, conversation)
    assert answer["state"] == "interrupted"
    assert answer["content"]
    assert "".join(WORDS).startswith(answer["content"])
    assert set(page.texts.values()) <= {answer["content"]}
