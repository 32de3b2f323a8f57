"""Turns of a chat are stored as they happen, however they end."""

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.chat.turn_recorder import SAVE_INTERVAL_SECONDS, start_turn
from backend.completions.completion import Completion
from backend.completions.upstream_request import build_upstream_request
from backend.conversations.repository import ConversationRepository
from backend.database.database import FILE_NAME
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import (
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_of,
)
from tests.support.requests import MODEL_ID
from tests.support.waiting import wait_until

Json = dict[str, Any]


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def conversation(client: httpx.Client) -> str:
    made: str = client.post("/conversations", json={}).json()["id"]
    return made


def question(text: str, conversation: str, **more: Any) -> Json:
    smolchat = {"conversation": conversation} | more.pop("smolchat", {})
    return {"messages": [{"role": "user", "content": text}], "smolchat": smolchat} | more


def stored(client: httpx.Client, conversation: str) -> list[Json]:
    found: list[Json] = client.get(f"/conversations/{conversation}").json()["messages"]
    return found


def ended(client: httpx.Client, conversation: str) -> list[Json]:
    """Give the messages when none is being written any more."""
    wait_until(lambda: all(m["state"] != "writing" for m in stored(client, conversation)))
    return stored(client, conversation)


def chunks(text: str) -> list[Json]:
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def test_a_streamed_turn_is_stored(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["Hel", "lo", "\u2028!"]))
    body = question("Hi", conversation, stream=True, seed=7, temperature=0)
    events = chunks(client.post("/chat", json=body).text)
    asked, answer = stored(client, conversation)
    ids = {"user_message": asked["id"], "answer_message": answer["id"]}
    assert events[0]["smolchat"] == {"conversation": {"id": conversation} | ids}
    assert (events[0]["choices"], events[0]["model"]) == ([], MODEL_ID)
    assert (asked["role"], asked["content"], asked["state"]) == ("user", "Hi", None)
    assert (answer["content"], answer["state"]) == ("Hello\u2028!", "finished")
    assert answer["parameters"] == {"seed": 7, "temperature": 0, "max_tokens": 1024}
    assert (answer["receipt"]["finish_reason"], answer["receipt"]["completion_tokens"]) == (
        "stop",
        3,
    )
    assert "smolchat" not in model_server.chats[0].body


def test_a_whole_turn_is_stored(client: httpx.Client, conversation: str) -> None:
    body = question("Hi", conversation, smolchat={"receipt": True})
    reply = client.post("/chat", json=body).json()
    asked, answer = stored(client, conversation)
    assert reply["smolchat"]["conversation"]["answer_message"] == answer["id"]
    assert reply["smolchat"]["receipt"].keys() == answer["receipt"].keys()
    assert answer["content"] == reply["choices"][0]["message"]["content"]
    assert (answer["parent"], answer["state"]) == (asked["id"], "finished")
    assert answer["model"] == MODEL_ID


def test_progress_comes_after_the_ids(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["Hi"]))
    options = {"progress": True, "receipt": True}
    body = question("Hi", conversation, stream=True, smolchat=options)
    told = [e["smolchat"] for e in chunks(client.post("/chat", json=body).text) if "smolchat" in e]
    assert [*told[0], *told[1], *told[-1]] == ["conversation", "progress", "receipt"]
    assert stored(client, conversation)[1]["receipt"].keys() == told[-1]["receipt"].keys()


def test_the_question_is_stored_before_the_model_is_asked(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, end="hang"))
    with ThreadPoolExecutor() as pool:
        body = question("Hello?", conversation, stream=True)
        asking = pool.submit(client.post, "/chat", json=body, timeout=2)
        wait_until(lambda: len(model_server.chats) == 1)
        asked, answer = stored(client, conversation)
        assert asking.exception()
    assert (asked["content"], answer["state"]) == ("Hello?", "writing")
    assert asked["created_at"] <= answer["created_at"]


def test_asked_again_under_the_question_is_a_sibling(
    client: httpx.Client, conversation: str
) -> None:
    first = client.post("/chat", json=question("Hi", conversation)).json()["smolchat"]
    again = {"parent": first["conversation"]["user_message"]}
    client.post("/chat", json=question("Hi", conversation, smolchat=again))
    edited = {"parent": None}
    client.post("/chat", json=question("Hi there", conversation, smolchat=edited))
    messages = stored(client, conversation)
    asked = messages[0]["id"]
    assert [(m["role"], m["parent"]) for m in messages] == [
        ("user", None),
        ("assistant", asked),
        ("assistant", asked),
        ("user", None),
        ("assistant", messages[3]["id"]),
    ]


def test_without_a_parent_a_question_follows_the_last_answer(
    client: httpx.Client, conversation: str
) -> None:
    client.post("/chat", json=question("One", conversation))
    client.post("/chat", json=question("Two", conversation))
    messages = stored(client, conversation)
    assert [m["parent"] for m in messages] == [None, *(m["id"] for m in messages[:3])]


def test_an_answer_that_is_gone_on_with_keeps_its_beginning(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of([" two", " three"]))
    body = question("Count", conversation, stream=True)
    body["messages"].append({"role": "assistant", "content": "One"})
    client.post("/chat", json=body)
    assert stored(client, conversation)[1]["content"] == "One two three"


def test_thoughts_tools_and_probabilities_are_stored(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    call = {"index": 0, "id": "c1", "type": "function"}
    logprobs = [{"token": "Hi", "logprob": -0.5, "top_logprobs": []}]
    events = [
        chunk({"role": "assistant", "reasoning_content": "Hm"}),
        chunk({"reasoning_content": "."}),
        chunk({"tool_calls": [call | {"function": {"name": "add", "arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk({"content": "Hi"}).replace(
            b'"index":0', b'"index":0,"logprobs":' + json.dumps({"content": logprobs}).encode()
        ),
        chunk({}, "tool_calls"),
        b"data: [DONE]\n\n",
    ]
    model_server.replies.append(Reply(headers=EVENTS, pieces=events))
    client.post("/chat", json=question("Hi", conversation, stream=True))
    answer = stored(client, conversation)[1]
    assert (answer["reasoning"], answer["content"]) == ("Hm.", "Hi")
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert answer["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert answer["logprobs"] == logprobs


def test_a_reader_who_leaves_stops_the_answer(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    begun = stream_of(["Hel", "lo"]).pieces[:3]
    model_server.replies.append(Reply(headers=EVENTS, pieces=begun, end="hang"))
    with client.stream("POST", "/chat", json=question("Hi", conversation, stream=True)) as answer:
        for line in answer.iter_lines():
            if "lo" in line:
                break
    asked, left = ended(client, conversation)
    assert (left["content"], left["state"], left["error"]) == ("Hello", "stopped", None)
    assert left["receipt"]["finish_reason"] is None
    assert asked["content"] == "Hi"
    assert model_server.chats[0].left.wait(1)


def test_a_reader_who_leaves_before_the_first_word_stops_it_too(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    for is_stream in (True, False):
        model_server.replies.append(Reply(headers=EVENTS, end="hang"))
        body = question("Hi", conversation, stream=is_stream)
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat", json=body, timeout=0.3)
    states = [message["state"] for message in ended(client, conversation)]
    assert states == [None, "stopped", None, "stopped"]


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=500), "model_server_failed"),
        (replay("err-overflow"), "context_length_exceeded"),
        (Reply(headers=JSON, pieces=[b"{}"]), "model_server_failed"),
    ],
)
def test_a_failure_is_stored_with_its_error(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    reply: Reply,
    code: str,
    *,
    is_stream: bool,
) -> None:
    model_server.replies.append(reply)
    response = client.post("/chat", json=question("Hi", conversation, stream=is_stream))
    asked, answer = stored(client, conversation)
    assert response.json()["error"]["code"] == code
    assert (answer["state"], answer["error"]) == ("failed", response.json()["error"])
    assert asked["content"] == "Hi"


def test_a_failure_in_the_middle_keeps_the_beginning(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, pieces=[chunk({"content": "Hel"})], end="cut")
    )
    text = client.post("/chat", json=question("Hi", conversation, stream=True)).text
    answer = stored(client, conversation)[1]
    assert (answer["content"], answer["state"]) == ("Hel", "failed")
    assert json.dumps(answer["error"]["code"]) in text


def test_the_text_is_written_down_while_it_comes(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    begun = stream_of(["One", " two"]).pieces[:3]
    model_server.replies.append(Reply(headers=EVENTS, pieces=begun, end="hang"))
    with client.stream("POST", "/chat", json=question("Hi", conversation, stream=True)) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        start = time.monotonic()
        wait_until(lambda: stored(client, conversation)[1]["content"] == "One two")
        assert time.monotonic() - start < 5  # one, but for a busy machine
        assert stored(client, conversation)[1]["state"] == "writing"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"smolchat": {"conversation": "unknown"}}, 404, "conversation_not_found"),
        ({"smolchat": {"parent": "unknown"}}, 404, "message_not_found"),
        ({"smolchat": {"conversation": None, "parent": "x"}}, 400, "invalid_request"),
        ({"smolchat": {"conversation": 7}}, 400, "invalid_request"),
        ({"smolchat": {"conversation": "x" * 201}}, 400, "invalid_request"),
        ({"n": 2}, 400, "invalid_request"),
        ({"messages": [{"role": "system", "content": "S"}]}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_stored_is_not_asked(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    change: Json,
    status: int,
    code: str,
) -> None:
    response = client.post("/chat", json=question("Hi", conversation, stream=True, **change))
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert stored(client, conversation) == []
    assert model_server.chats == []


def test_a_conversation_that_is_deleted_meanwhile_does_not_matter(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["Hel", "lo"], gap_seconds=0.1))
    with client.stream("POST", "/chat", json=question("Hi", conversation, stream=True)) as answer:
        pieces = answer.iter_text()
        text = next(pieces)
        assert client.delete(f"/conversations/{conversation}").status_code == 204
        text += "".join(pieces)
    assert chunks(text)[-1]["usage"]
    assert client.get(f"/conversations/{conversation}").status_code == 404


def test_parts_are_stored_as_they_were_sent(client: httpx.Client, conversation: str) -> None:
    parts = [{"type": "text", "text": "Look: "}, {"type": "image_url", "image_url": {"url": "x"}}]
    body = question("", conversation)
    body["messages"][0]["content"] = parts
    first = client.post("/chat", json=body).json()["smolchat"]["conversation"]
    body["smolchat"]["parent"] = first["user_message"]
    client.post("/chat", json=body)
    messages = stored(client, conversation)
    assert [m["role"] for m in messages] == ["user", "assistant", "assistant"]
    assert (messages[0]["content"], messages[0]["parts"]) == ("Look: ", parts)


def test_without_a_conversation_nothing_is_stored(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    hello = {"messages": [{"role": "user", "content": "Hi"}], "smolchat": {"conversation": None}}
    assert "smolchat" not in client.post("/chat", json=hello).json()
    assert client.get("/conversations").json()["data"] == []
    assert len(model_server.chats) == 1


@pytest.mark.parametrize("is_stream", [True, False])
def test_what_could_not_be_stored_is_no_success(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    tmp_path: Path,
    *,
    is_stream: bool,
) -> None:
    model_server.replies.append(replace(replay("stream" if is_stream else "chat"), gap_seconds=0.3))
    with ThreadPoolExecutor() as pool:
        body = question("Hi", conversation, stream=is_stream)
        asking = pool.submit(client.post, "/chat", json=body)
        wait_until(lambda: len(model_server.chats) == 1)
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
            database.execute("ALTER TABLE messages RENAME TO elsewhere")
        response = asking.result()
    assert response.status_code == (200 if is_stream else 503)
    assert '"store_unavailable"' in response.text
    assert "[DONE]" not in response.text


class Clumsy(ConversationRepository):
    """Fails as no database does, where an answer is written down before its end."""

    async def update_answer(self, message: str, changes: Json) -> None:
        if changes["state"] == "writing":
            raise RuntimeError
        await super().update_answer(message, changes)


@pytest.mark.anyio
async def test_an_unexpected_error_while_saving_is_raised_and_the_answer_stored(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["One", " two"], gap_seconds=SAVE_INTERVAL_SECONDS / 2))
    made = (await api_client.post("/conversations", json={})).json()["id"]
    state = app.state.core
    request = ChatCompletionRequest(**question("Hi", made, stream=True))
    body = build_upstream_request(request, state.settings)
    answering = Completion(
        body=body,
        options=ChatExtensionOptions(),
        model_server=state.model_server,
        queue=state.queue,
        metrics=state.metrics,
    )
    recording = await start_turn(
        request, body, repository=Clumsy(state.database), shutting_down=state.shutting_down
    )
    with pytest.raises(RuntimeError):
        _ = [piece async for piece in recording.stream(answering, is_stream=True)]
    kept = (await api_client.get(f"/conversations/{made}")).json()["messages"][1]
    assert (kept["content"], kept["state"]) == ("One two", "finished")
