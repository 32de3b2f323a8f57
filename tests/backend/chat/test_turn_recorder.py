"""Storing a chat's turns while they happen, whatever their outcome."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.chat.turn_recorder import start_turn
from backend.completions.completion import Completion
from backend.completions.upstream_request import build_upstream_request
from backend.conversations.repository import ConversationRepository
from backend.protocol import ChatCompletionRequest, ChatExtensionOptions
from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.requests import HELLO, MODEL_ID
from tests.support.sqlite_file import execute
from tests.support.sse import extensions_of, parse_chunks
from tests.support.waiting import wait_until

Json = dict[str, Any]


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def conversation(client: httpx.Client) -> str:
    return str(client.post("/conversations", json={}).json()["id"])


def chat_request(text: str, conversation: str, **fields: Any) -> Json:
    smolchat = {"conversation": conversation} | fields.pop("smolchat", {})
    return {"messages": [{"role": "user", "content": text}], "smolchat": smolchat} | fields


def stored_messages(client: httpx.Client, conversation: str) -> list[Json]:
    messages: list[Json] = client.get(f"/conversations/{conversation}").json()["messages"]
    return messages


def finished_messages(client: httpx.Client, conversation: str) -> list[Json]:
    """Return the messages as soon as none is being written."""
    wait_until(
        lambda: all(
            message["state"] != "writing" for message in stored_messages(client, conversation)
        )
    )
    return stored_messages(client, conversation)


def test_streamed_turn_is_stored(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["Hel", "lo", "\u2028!"]))
    body = chat_request("Hi", conversation, stream=True, seed=7, temperature=0)
    first = parse_chunks(client.post("/chat", json=body).text)[0]
    question, answer = stored_messages(client, conversation)
    ids = {"user_message": question["id"], "answer_message": answer["id"]}
    assert first["smolchat"] == {"conversation": {"id": conversation} | ids}
    assert (first["choices"], first["model"]) == ([], MODEL_ID)
    assert (question["role"], question["content"], question["state"]) == ("user", "Hi", None)
    assert (answer["content"], answer["state"]) == ("Hello\u2028!", "finished")
    assert answer["parameters"] == {"seed": 7, "temperature": 0, "max_tokens": 1024}
    receipt = answer["receipt"]
    assert (receipt["finish_reason"], receipt["completion_tokens"]) == ("stop", 3)
    assert "smolchat" not in model_server.chat_requests[0].body


def test_turn_that_is_not_streamed_is_stored(client: httpx.Client, conversation: str) -> None:
    body = chat_request("Hi", conversation, smolchat={"receipt": True})
    completion = client.post("/chat", json=body).json()
    question, answer = stored_messages(client, conversation)
    assert completion["smolchat"]["conversation"]["answer_message"] == answer["id"]
    assert completion["smolchat"]["receipt"].keys() == answer["receipt"].keys()
    assert answer["content"] == completion["choices"][0]["message"]["content"]
    assert (answer["parent"], answer["state"]) == (question["id"], "finished")
    assert answer["model"] == MODEL_ID


def test_stream_has_the_message_ids_before_progress(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["Hi"]))
    options = {"progress": True, "receipt": True}
    body = chat_request("Hi", conversation, stream=True, smolchat=options)
    extensions = extensions_of(parse_chunks(client.post("/chat", json=body).text))
    names = [*extensions[0], *extensions[1], *extensions[-1]]
    assert names == ["conversation", "progress", "receipt"]
    receipt = stored_messages(client, conversation)[1]["receipt"]
    assert receipt.keys() == extensions[-1]["receipt"].keys()


def test_question_is_stored_before_the_upstream_request(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, end="hang"))
    with ThreadPoolExecutor() as pool:
        body = chat_request("Hello?", conversation, stream=True)
        response = pool.submit(client.post, "/chat", json=body, timeout=2)
        wait_until(lambda: len(model_server.chat_requests) == 1)
        question, answer = stored_messages(client, conversation)
        assert response.exception()
    assert (question["content"], answer["state"]) == ("Hello?", "writing")
    assert question["created_at"] <= answer["created_at"]


def test_regenerated_and_edited_turns_are_siblings(client: httpx.Client, conversation: str) -> None:
    first = client.post("/chat", json=chat_request("Hi", conversation)).json()["smolchat"]
    regenerated = {"parent": first["conversation"]["user_message"]}
    client.post("/chat", json=chat_request("Hi", conversation, smolchat=regenerated))
    edited = {"parent": None}
    client.post("/chat", json=chat_request("Hi there", conversation, smolchat=edited))
    messages = stored_messages(client, conversation)
    first_id = messages[0]["id"]
    assert [(message["role"], message["parent"]) for message in messages] == [
        ("user", None),
        ("assistant", first_id),
        ("assistant", first_id),
        ("user", None),
        ("assistant", messages[3]["id"]),
    ]


def test_question_without_a_parent_follows_the_last_answer(
    client: httpx.Client, conversation: str
) -> None:
    client.post("/chat", json=chat_request("One", conversation))
    client.post("/chat", json=chat_request("Two", conversation))
    messages = stored_messages(client, conversation)
    ids = [message["id"] for message in messages]
    assert [message["parent"] for message in messages] == [None, *ids[:3]]


def test_continued_answer_is_stored_with_its_prefix(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply([" two", " three"]))
    body = chat_request("Count", conversation, stream=True)
    body["messages"].append({"role": "assistant", "content": "One"})
    client.post("/chat", json=body)
    assert stored_messages(client, conversation)[1]["content"] == "One two three"


def test_reasoning_tool_calls_and_logprobs_are_stored(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    call = {"index": 0, "id": "c1", "type": "function"}
    logprobs = [{"token": "Hi", "logprob": -0.5, "top_logprobs": []}]
    chunks = [
        chunk({"role": "assistant", "reasoning_content": "Hm"}),
        chunk({"reasoning_content": "."}),
        chunk({"tool_calls": [call | {"function": {"name": "add", "arguments": '{"a"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
        chunk({"content": "Hi"}).replace(
            b'"index":0', b'"index":0,"logprobs":' + json.dumps({"content": logprobs}).encode()
        ),
        chunk({}, "tool_calls"),
        DONE,
    ]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    client.post("/chat", json=chat_request("Hi", conversation, stream=True))
    answer = stored_messages(client, conversation)[1]
    assert (answer["reasoning"], answer["content"]) == ("Hm.", "Hi")
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert answer["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert answer["logprobs"] == logprobs


def test_disconnect_during_a_stream_stores_a_stopped_answer(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    chunks = stream_reply(["Hel", "lo"]).chunks[:3]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks, end="hang"))
    body = chat_request("Hi", conversation, stream=True)
    with client.stream("POST", "/chat", json=body) as response:
        for line in response.iter_lines():
            if "lo" in line:
                break
    question, answer = finished_messages(client, conversation)
    assert (answer["content"], answer["state"], answer["error"]) == ("Hello", "stopped", None)
    assert answer["receipt"]["finish_reason"] is None
    assert question["content"] == "Hi"
    assert model_server.chat_requests[0].disconnected.wait(1)


def test_disconnect_before_the_first_token_stores_a_stopped_answer(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    for is_stream in (True, False):
        model_server.replies.append(Reply(headers=EVENTS, end="hang"))
        body = chat_request("Hi", conversation, stream=is_stream)
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat", json=body, timeout=0.3)
    states = [message["state"] for message in finished_messages(client, conversation)]
    assert states == [None, "stopped", None, "stopped"]


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=500), "model_server_failed"),
        (replay("err-overflow"), "context_length_exceeded"),
        (Reply(headers=JSON, chunks=[b"{}"]), "model_server_failed"),
    ],
)
def test_failed_answer_is_stored_with_its_error(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    reply: Reply,
    code: str,
    *,
    is_stream: bool,
) -> None:
    model_server.replies.append(reply)
    response = client.post("/chat", json=chat_request("Hi", conversation, stream=is_stream))
    question, answer = stored_messages(client, conversation)
    assert response.json()["error"]["code"] == code
    assert (answer["state"], answer["error"]) == ("failed", response.json()["error"])
    assert question["content"] == "Hi"


def test_answer_that_fails_during_the_stream_is_stored_with_its_text(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, chunks=[chunk({"content": "Hel"})], end="cut")
    )
    text = client.post("/chat", json=chat_request("Hi", conversation, stream=True)).text
    answer = stored_messages(client, conversation)[1]
    assert (answer["content"], answer["state"]) == ("Hel", "failed")
    assert json.dumps(answer["error"]["code"]) in text


def test_text_is_saved_during_the_stream(
    client: httpx.Client, conversation: str, model_server: FakeModelServer
) -> None:
    chunks = stream_reply(["One", " two"]).chunks[:3]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks, end="hang"))
    body = chat_request("Hi", conversation, stream=True)
    with client.stream("POST", "/chat", json=body) as response:
        stream = response.iter_bytes()  # kept, since closing it would close the response
        next(stream)
        start = time.monotonic()
        wait_until(lambda: stored_messages(client, conversation)[1]["content"] == "One two")
        assert time.monotonic() - start < 5  # 1 s on an idle machine
        assert stored_messages(client, conversation)[1]["state"] == "writing"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
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
def test_chat_that_cannot_be_stored_is_rejected(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    fields: Json,
    status: int,
    code: str,
) -> None:
    response = client.post("/chat", json=chat_request("Hi", conversation, stream=True, **fields))
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert stored_messages(client, conversation) == []
    assert model_server.chat_requests == []


def test_content_parts_are_stored_unchanged(client: httpx.Client, conversation: str) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    parts = [{"type": "text", "text": "Look: "}, audio]
    body = chat_request("", conversation)
    body["messages"][0]["content"] = parts
    first = client.post("/chat", json=body).json()["smolchat"]["conversation"]
    body["smolchat"]["parent"] = first["user_message"]
    client.post("/chat", json=body)
    messages = stored_messages(client, conversation)
    assert [message["role"] for message in messages] == ["user", "assistant", "assistant"]
    assert (messages[0]["content"], messages[0]["parts"]) == ("Look: ", parts)


def test_chat_without_a_conversation_is_not_stored(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    body = HELLO | {"smolchat": {"conversation": None}}
    assert "smolchat" not in client.post("/chat", json=body).json()
    assert client.get("/conversations").json()["data"] == []
    assert len(model_server.chat_requests) == 1


@pytest.mark.parametrize("is_stream", [True, False])
def test_chat_reports_an_error_if_the_answer_could_not_be_stored(
    client: httpx.Client,
    conversation: str,
    model_server: FakeModelServer,
    tmp_path: Path,
    *,
    is_stream: bool,
) -> None:
    release = threading.Event()
    model_server.replies.append(replay("stream" if is_stream else "chat", release=release))
    with ThreadPoolExecutor() as pool:
        body = chat_request("Hi", conversation, stream=is_stream)
        pending = pool.submit(client.post, "/chat", json=body)
        wait_until(lambda: len(model_server.chat_requests) == 1)
        execute(tmp_path, "ALTER TABLE messages RENAME TO elsewhere")
        release.set()
        response = pending.result()
    assert response.status_code == (200 if is_stream else 503)
    assert '"store_unavailable"' in response.text
    assert "[DONE]" not in response.text


class FailingRepository(ConversationRepository):
    """Fails with an unexpected error if an answer is saved during its stream."""

    async def update_answer(self, message: str, changes: Json) -> None:
        if changes["state"] == "writing":
            raise RuntimeError
        await super().update_answer(message, changes)


@pytest.mark.anyio
async def test_unexpected_error_while_saving_ends_the_answer_as_failed(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, chunks=stream_reply(["One", " two"]).chunks[:3], end="hang")
    )
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    state = app.state.core
    request = ChatCompletionRequest(**chat_request("Hi", conversation, stream=True))
    body = build_upstream_request(request, state.settings)
    completion = Completion(
        body=body,
        options=ChatExtensionOptions(),
        model_server=state.model_server,
        queue=state.queue,
        metrics=state.metrics,
    )
    repository = FailingRepository(state.database)
    recorder = await start_turn(request, body, state, repository=repository)
    with pytest.raises(RuntimeError):
        _ = [chunk async for chunk in recorder.stream(completion, is_stream=True)]
    answer: Json = {"state": "writing"}
    while answer["state"] == "writing":
        answer = (await api_client.get(f"/conversations/{conversation}")).json()["messages"][1]
    assert (answer["content"], answer["state"]) == ("One two", "failed")
    assert answer["error"]["code"] == "internal_error"
    assert model_server.chat_requests[0].disconnected.wait(1)
