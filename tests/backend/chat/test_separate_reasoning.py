"""Reasoning: passed on as the server wrote it, or in one field if the client asks; stored apart."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import DONE, EVENTS, JSON, FakeModelServer, Reply, chunk
from tests.support.requests import HELLO
from tests.support.sse import extensions_of, parse_chunks, progress_of, receipt_of
from tests.support.tool_replies import WEATHER

pytestmark = pytest.mark.anyio

SEPARATE = {"smolchat": {"separate_reasoning": True}}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
# What servers stream of one answer.
STREAMS: list[list[dict[str, Any]]] = [
    [{"role": "assistant", "content": None}, {"reasoning_content": "Hm."}, {"content": "Four."}],
    [{"reasoning": "Hm."}, {"content": "Fo"}, {"content": "ur."}],
    [{"role": "assistant", "content": [THINKING]}, {"content": [{"type": "text", "text": "Fo"}]},
     {"content": "ur."}],
    [{"content": "<think>\nHm."}, {"content": "\n</th"}, {"content": "ink>\n\nFour."}],
    [{"content": "Hm."}, {"content": "\n</think>"}, {"content": "\n\nFour."}],
    [{"content": "[THINK]Hm.[/THI"}, {"content": "NK]Four."}],
]  # fmt: skip


def _stream(deltas: Sequence[dict[str, Any]], finish_reason: str = "stop") -> Reply:
    return Reply(headers=EVENTS, chunks=[*map(chunk, deltas), chunk({}, finish_reason), DONE])


def _whole(message: dict[str, Any]) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    response = {"id": "1", "object": "chat.completion", "choices": [choice], "model": "m"}
    return Reply(headers=JSON, chunks=[json.dumps(response).encode()])


def _collect(chunks: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Return text and reasoning as a page collects them."""
    content = reasoning = ""
    for each in chunks:
        if so_far := each.get("smolchat", {}).get("reasoning_so_far"):
            content, reasoning = "", so_far["text"]
        for choice in each["choices"]:
            content += choice["delta"].get("content", "")
            reasoning += choice["delta"].get("reasoning_content", "")
    return content, reasoning


@pytest.mark.parametrize("options", [{}, {"receipt": True, "progress": True}])
@pytest.mark.parametrize("deltas", STREAMS)
async def test_stream_has_text_and_reasoning_in_one_field_each(
    deltas: list[dict[str, Any]],
    options: dict[str, Any],
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
) -> None:
    model_server.replies.append(_stream(deltas))
    body = HELLO | {"stream": True, "smolchat": {"separate_reasoning": True} | options}
    response = await api_client.post("/chat", json=body)
    chunks = parse_chunks(response.text)
    assert _collect(chunks) == ("Four.", "Hm.")
    assert chunks[-1]["choices"] or "receipt" in options
    assert bool(progress_of(chunks)) == bool(options)
    if options:
        assert receipt_of(chunks)["finish_reason"] == "stop"
    assert "separate_reasoning" not in json.dumps(model_server.chat_requests[-1].body)


@pytest.mark.parametrize("deltas", STREAMS)
async def test_stream_is_as_the_server_wrote_it_by_default(
    deltas: list[dict[str, Any]], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(_stream(deltas))
    response = await api_client.post("/chat", json=HELLO | {"stream": True})
    chunks = parse_chunks(response.text)
    assert [each["choices"][0]["delta"] for each in chunks] == [*deltas, {}]
    assert extensions_of(chunks) == []


@pytest.mark.parametrize("separates", [True, False])
@pytest.mark.parametrize("deltas", STREAMS)
async def test_reasoning_is_stored_apart(
    deltas: list[dict[str, Any]],
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
    *,
    separates: bool,
) -> None:
    model_server.replies.append(_stream(deltas))
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    options = {"conversation": conversation, "separate_reasoning": separates}
    await api_client.post("/chat", json=HELLO | {"stream": True, "smolchat": options})
    stored = (await api_client.get(f"/conversations/{conversation}")).json()["messages"][-1]
    assert (stored["content"], stored["reasoning"]) == ("Four.", "Hm.")
    assert stored["state"] == "finished"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Four.", "reasoning_content": "Hm."},
        {"content": "Four.", "reasoning": "Hm."},
        {"content": [THINKING, {"type": "text", "text": "Four."}]},
        {"content": "<think>\nHm.\n</think>\n\nFour."},
        {"content": "Hm.\n</think>\n\nFour."},
    ],
)
async def test_whole_answer_has_text_and_reasoning_in_one_field_each(
    message: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies += [_whole(message), _whole(message)]
    response = await api_client.post("/chat", json=HELLO | SEPARATE)
    expected = {"role": "assistant", "content": "Four.", "reasoning_content": "Hm."}
    assert response.json()["choices"][0]["message"] == expected
    response = await api_client.post("/chat", json=HELLO)
    assert response.json()["choices"][0]["message"] == {"role": "assistant"} | message


async def test_message_of_tool_calls_keeps_them(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    deltas: list[dict[str, Any]] = [{"reasoning": "Hm."}, {"tool_calls": [{"index": 0} | call]}]
    model_server.replies += [_stream(deltas), _whole({"content": None, "tool_calls": [call]})]
    response = await api_client.post("/chat", json=HELLO | {"stream": True} | SEPARATE)
    chunks = parse_chunks(response.text)
    assert chunks[1]["choices"][0]["delta"]["tool_calls"] == [{"index": 0} | call]
    assert chunks[2]["choices"][0]["finish_reason"] == "tool_calls"
    [choice] = (await api_client.post("/chat", json=HELLO | SEPARATE)).json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert choice["finish_reason"] == "tool_calls"


async def test_continued_answer_is_text(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(_stream([{"content": "<think> is a tag"}]))
    messages = [*HELLO["messages"], {"role": "assistant", "content": "The tag "}]
    body = HELLO | {"messages": messages, "stream": True} | SEPARATE
    chunks = parse_chunks((await api_client.post("/chat", json=body)).text)
    assert _collect(chunks) == ("<think> is a tag", "")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_halves_of_a_character_are_joined_for_everyone(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, is_stream: bool
) -> None:
    texts = ["Hi ", "\ud83d", "\ude00!", " bye \ud83d"]
    if is_stream:
        model_server.replies.append(_stream([{"content": text} for text in texts]))
    else:
        model_server.replies.append(_whole({"content": "Hi \ud83d\ude00! bye \ud83d"}))
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    body = HELLO | {"stream": is_stream, "smolchat": {"conversation": conversation}}
    response = await api_client.post("/chat", json=body)
    if is_stream:
        text, _ = _collect(parse_chunks(response.text))
    else:
        text = response.json()["choices"][0]["message"]["content"]
    stored = (await api_client.get(f"/conversations/{conversation}")).json()["messages"][-1]
    assert text == stored["content"] == "Hi 😀! bye \ufffd"
    assert stored["state"] == "finished"


@pytest.mark.parametrize("is_stream", [True, False])
async def test_tool_calls_without_a_finish_reason_get_their_own(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, is_stream: bool
) -> None:
    message = {"content": None, "tool_calls": [{"function": {"name": "a", "arguments": {}}}]}
    choice = {"index": 0, "message": message, "finish_reason": None}
    whole = Reply(headers=JSON, chunks=[json.dumps({"choices": [choice]}).encode()])
    streamed = Reply(headers=EVENTS, chunks=[chunk(message), DONE])
    for reply in (whole, streamed):
        model_server.replies.append(reply)
        response = await api_client.post("/chat", json=HELLO | {"stream": is_stream})
        answer = parse_chunks(response.text)[-1] if is_stream else response.json()
        assert answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("deltas", STREAMS)
async def test_whole_answer_with_tools_has_text_and_reasoning_in_one_field_each(
    deltas: list[dict[str, Any]], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(_stream(deltas))
    response = await api_client.post("/chat", json=HELLO | SEPARATE | {"tools": [WEATHER]})
    message = response.json()["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Four.", "Hm.")
