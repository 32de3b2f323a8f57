"""Responses in another form than was asked for: a stream, one JSON object, without an end."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
)
from tests.support.requests import HELLO, MODEL_ID, STREAMED
from tests.support.sse import parse_chunks, text_of

pytestmark = pytest.mark.anyio

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
LOGPROBS = {"content": [{"token": "Hello", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}


def whole(message: dict[str, Any], finish_reason: str | None = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant"} | message}
    choice |= {"finish_reason": finish_reason}
    return json.dumps({"id": "x", "model": "m", "choices": [choice]} | fields).encode()


STREAM = [
    chunk({"role": "assistant", "content": None}),
    chunk({"content": "Hello"}),
    chunk({"content": " there"}),
    chunk({}, "stop"),
]


def one_choice(**choice: Any) -> bytes:
    """Return an event whose only choice has these fields alone."""
    return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n"


def bare(*events: bytes) -> list[bytes]:
    """Return the JSON of events, one a line."""
    return [event.removeprefix(b"data: ").strip() + b"\n" for event in events]


WHOLE = {"role": "assistant", "content": "Hello there"}
# Each says "Hello there" and ends by itself.
FORMS = {
    "stream": Reply(headers=EVENTS, chunks=[*STREAM, DONE]),
    "stream as JSON": Reply(headers=JSON, chunks=[*STREAM, DONE]),
    "stream without done": Reply(headers=EVENTS, chunks=STREAM),
    "stream without finish reason": Reply(headers=EVENTS, chunks=[*STREAM[:3], DONE]),
    "stream after a ping": Reply(headers=EVENTS, chunks=[b"data: {}\n\n", *STREAM, DONE]),
    "stream after a mark": Reply(headers=EVENTS, chunks=[b"\xef\xbb\xbf" + STREAM[0], *STREAM[1:]]),
    "JSON": Reply(chunks=[whole({"content": "Hello there"})]),
    "JSON as stream": Reply(headers=EVENTS, chunks=[whole({"content": "Hello there"})]),
    "JSON as text": Reply(
        headers=[("Content-Type", "text/plain")], chunks=[b"\n", whole({"content": "Hello there"})]
    ),
    "JSON after a mark": Reply(chunks=[b"\xef\xbb\xbf", whole({"content": "Hello there"})]),
    "JSON without finish reason": Reply(chunks=[whole({"content": "Hello there"}, None)]),
    "stream without delta": Reply(
        headers=EVENTS,
        chunks=[
            one_choice(index=0, delta=None, finish_reason=None),
            *STREAM[1:3],
            one_choice(index=0, finish_reason=None, content_filter_offsets={"start": 0}),
            one_choice(index=0, delta=None, finish_reason="stop"),
            DONE,
        ],
    ),
    "stream with choices of null": Reply(
        headers=EVENTS,
        chunks=[b'data: {"choices":[null]}\n\n', *STREAM, b'data: {"choices":null}\n\n', DONE],
    ),
    "stream of messages": Reply(
        headers=EVENTS,
        chunks=[
            one_choice(index=0, message={"role": "assistant", "content": "Hello"}),
            one_choice(message={"content": " there"}, finish_reason="stop"),
        ],
    ),
    "stream of texts": Reply(
        headers=EVENTS,
        chunks=[one_choice(text="Hello"), one_choice(text=" there", finish_reason="stop"), DONE],
    ),
    "stream that repeats the message": Reply(
        headers=EVENTS,
        chunks=[*STREAM[:3], one_choice(index=0, message=WHOLE, finish_reason="stop"), DONE],
    ),
    "stream with the message so far": Reply(
        headers=EVENTS,
        chunks=[
            one_choice(
                delta={"content": "Hello"}, message={"content": "Hello"}, finish_reason=None
            ),
            one_choice(delta={"content": " there"}, message=WHOLE, finish_reason="stop"),
            DONE,
        ],
    ),
    "stream of one message after a role": Reply(
        headers=EVENTS,
        chunks=[STREAM[0], one_choice(index=0, message=WHOLE, finish_reason="stop"), DONE],
    ),
    "stream of one completion": Reply(
        headers=EVENTS,
        chunks=[
            b"data: " + whole(WHOLE, None, object="chat.completion") + b"\n\n",
            DONE,
        ],
    ),
    "stream without the model": Reply(
        headers=EVENTS,
        chunks=[
            b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n',
            b'data: {"model":null,"choices":[{"index":0,"delta":{"content":" there"}}]}\n\n',
            b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
            DONE,
        ],
    ),
    "stream without blank lines": Reply(
        headers=EVENTS, chunks=[event[:-1] for event in [*STREAM, DONE]]
    ),
    "stream without blank lines at once": Reply(
        headers=EVENTS, chunks=[b"".join(event[:-1] for event in [*STREAM, DONE])]
    ),
    "stream with late blank lines": Reply(
        headers=EVENTS,
        chunks=[
            part
            for event in [*STREAM[:2], b"data: null\n\n", *STREAM[2:], DONE]
            for part in (event[:-1], b"\n")
        ],
    ),
    "stream of bytes": Reply(
        headers=EVENTS, chunks=[bytes([byte]) for byte in b"".join([*STREAM, DONE])]
    ),
    "stream with a bare end": Reply(headers=EVENTS, chunks=[*STREAM[:3], b"[DONE]\n"]),
    "stream with a quoted end": Reply(headers=EVENTS, chunks=[*STREAM[:3], b'data: "[DONE]"\n\n']),
    "JSON after comments": Reply(
        headers=EVENTS,
        chunks=[b": PROCESSING\n\n", b": PROCESSING\n\n", whole(WHOLE)],
    ),
    "JSON before the end of a stream": Reply(chunks=[whole(WHOLE) + b"\n\n", DONE]),
    "JSON of several lines": Reply(
        chunks=[
            json.dumps(json.loads(whole(WHOLE)), indent=2).replace("\n", "\r\n").encode(),
            b"\r\n" + DONE,
        ]
    ),
    "JSON without a message": Reply(
        chunks=[b'{"choices":[null,{"text":"Hello there","finish_reason":null}]}']
    ),
    "lines of JSON": Reply(chunks=[*bare(*STREAM), b"[DONE]"]),
    "lines of JSON without an end": Reply(chunks=bare(*STREAM)),
    "list of chunks": Reply(chunks=[b"[", b",\n".join(bare(*STREAM)), b"]"]),
    "created": Reply(201, chunks=[whole({"content": "Hello there"})]),
}


@pytest.mark.parametrize("form", FORMS)
async def test_whole_answer_is_read_from_any_form(
    form: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(FORMS[form])
    response = await api_client.post("/chat", json=HELLO)
    assert response.headers["content-type"] == "application/json"
    [choice] = response.json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello there"}
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert response.json()["model"] == MODEL_ID


@pytest.mark.parametrize("form", FORMS)
async def test_stream_is_read_from_any_form(
    form: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(FORMS[form])
    response = await api_client.post("/chat", json=STREAMED)
    assert response.status_code == 200
    chunks = parse_chunks(response.text)  # checks that the stream ends with [DONE]
    assert text_of(chunks) == "Hello there"
    reasons = [choice["finish_reason"] for each in chunks for choice in each["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert {each["model"] for each in chunks} == {MODEL_ID}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stream", [False, True])
async def test_answer_in_any_form_is_stored_as_finished(
    form: str, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies.append(FORMS[form])
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    options = {"smolchat": {"conversation": conversation, "receipt": True}}
    await api_client.post("/chat", json=HELLO | options | {"stream": stream})
    stored = (await api_client.get(f"/conversations/{conversation}")).json()["messages"][-1]
    assert (stored["state"], stored["content"]) == ("finished", "Hello there")
    assert stored["receipt"]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(headers=EVENTS, chunks=STREAM[:3], end="cut"),
        Reply(headers=EVENTS, chunks=STREAM[:3]),  # neither a finish reason nor [DONE]
        Reply(headers=EVENTS, chunks=[DONE]),
        Reply(headers=EVENTS, chunks=[b"data: {}\n\n", DONE]),
        Reply(headers=EVENTS, chunks=[b": ping\n\n"]),
        Reply(headers=EVENTS),
        Reply(chunks=[whole({"content": "Hello there"})[:-9]], end="cut"),
        Reply(chunks=[whole({"content": "Hello there"})[:-9]]),
        Reply(chunks=[b"[]"]),
        Reply(chunks=[b'{"choices": []}']),
        Reply(headers=[("Content-Type", "text/html")], chunks=[b"<html><p>Welcome</p></html>"]),
    ],
)
async def test_answer_that_is_cut_or_holds_nothing_is_a_failure(
    reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer, *, stream: bool
) -> None:
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=HELLO | {"stream": stream})
    assert response.status_code == 502 or '"model_server_failed"' in response.text


async def test_usage_and_logprobs_of_an_unasked_stream_are_kept(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    text = chunk({"content": "Hello"}).replace(
        b'"delta"', b'"logprobs":%b,"delta"' % json.dumps(LOGPROBS).encode()
    )
    usage = b'data: {"choices": [], "usage": %b}\n\n' % json.dumps(USAGE).encode()
    chunks = [text, chunk({}, "length"), usage, DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    response = (await api_client.post("/chat", json=HELLO)).json()
    assert response["usage"] == USAGE
    assert response["object"] == "chat.completion"
    assert response["choices"][0]["logprobs"] == LOGPROBS
    assert response["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("asks", [False, True])
async def test_usage_of_an_unstreamed_answer_is_streamed_if_asked_for(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, *, asks: bool
) -> None:
    model_server.replies.append(Reply(chunks=[whole({"content": "Hello"}, usage=USAGE)]))
    options = {"stream_options": {"include_usage": True}} if asks else {}
    chunks = parse_chunks((await api_client.post("/chat", json=STREAMED | options)).text)
    assert [each["usage"] for each in chunks if each.get("usage")] == ([USAGE] if asks else [])


async def test_tool_calls_and_reasoning_survive_either_form(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    message = {"content": None, "reasoning_content": "Hm.", "tool_calls": [CALL]}
    model_server.replies.append(Reply(chunks=[whole(message, "tool_calls")]))
    [streamed] = parse_chunks((await api_client.post("/chat", json=STREAMED)).text)
    delta = streamed["choices"][0]["delta"]
    assert delta["reasoning_content"] == "Hm."
    assert delta["tool_calls"] == [CALL | {"index": 0}]
    first = {"index": 0} | CALL | {"function": {"name": "look", "arguments": "{"}}
    rest = {"index": 0, "function": {"arguments": "}"}}
    chunks = [
        chunk({"reasoning_content": "H"}),
        chunk({"reasoning_content": "m."}),
        chunk({"tool_calls": [first]}),
        chunk({"tool_calls": [rest]}),
        chunk({}, "tool_calls"),
        DONE,
    ]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    [choice] = (await api_client.post("/chat", json=HELLO)).json()["choices"]
    assert choice["message"] == {"role": "assistant"} | message


async def test_content_parts_of_an_unasked_stream_stay_parts(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "Answer"},
    ]
    chunks = [chunk({"content": [parts[0]]}), chunk({"content": [parts[1]]})]
    chunks += [chunk({"content": " more"}), chunk({}, "stop"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    [choice] = (await api_client.post("/chat", json=HELLO)).json()["choices"]
    assert choice["message"]["content"] == [*parts, {"type": "text", "text": " more"}]


@pytest.mark.parametrize(
    "error",
    [
        b'{"error":{"message":"out of memory","code":500}}\n',
        b'{\n  "error": {\n    "message": "out of memory"\n  }\n}\n',
        b'[{"error": {"message": "out of memory"}}]',
        b'{"detail":"out of memory"}\n\n',
    ],
)
@pytest.mark.parametrize("start", [[b": PROCESSING\n\n"], STREAM[:2]])
async def test_failure_outside_of_an_event_is_told(
    error: bytes, start: list[bytes], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for body in (HELLO, STREAMED):
        model_server.replies.append(Reply(headers=EVENTS, chunks=[*start, error]))
        response = await api_client.post("/chat", json=body)
        assert "ran out of memory" in response.text
        assert "detail" not in response.text


async def test_text_line_of_a_proxy_is_not_passed_on(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    chunks = [*STREAM[:2], b"Internal Server Error\n"]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    response = await api_client.post("/chat", json=STREAMED)
    assert "Internal" not in response.text
    assert "stopped in the middle" in response.text


async def test_name_of_a_tool_in_pieces_is_joined_in_a_whole_answer(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    functions = [{"name": "get_"}, {"name": "time"}, {"arguments": "{}"}]
    calls = [{"index": 0, "id": "c1", "function": function} for function in functions]
    chunks = [chunk({"tool_calls": [call]}) for call in calls] + [chunk({}, "eos_token"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    [choice] = (await api_client.post("/chat", json=HELLO)).json()["choices"]
    [call] = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "get_time", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("arguments", ['{"a":1}', {"a": 1}])
async def test_function_call_has_its_name_and_arguments_as_text(
    arguments: object, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    pieces = [{"name": "look", "arguments": ""}, {"arguments": arguments}]
    chunks = [chunk({"function_call": piece}) for piece in pieces]
    reply = Reply(headers=EVENTS, chunks=[*chunks, chunk({}, "function_call"), DONE])
    model_server.replies += [reply, reply]
    [choice] = (await api_client.post("/chat", json=HELLO)).json()["choices"]
    assert choice["message"]["function_call"] == {"name": "look", "arguments": '{"a":1}'}
    events = parse_chunks((await api_client.post("/chat", json=STREAMED)).text)
    calls = [event["choices"][0]["delta"].get("function_call", {}) for event in events]
    assert "".join(call.get("arguments", "") for call in calls) == '{"a":1}'


@pytest.mark.parametrize("character", ["\t", "\x00", "\x0b", "\x1b"])
async def test_control_characters_in_text_are_escaped(
    character: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    text = f"a{character}b"
    raw = [event.replace(b"Hello", text.encode()) for event in STREAM]
    model_server.replies.append(Reply(headers=EVENTS, chunks=[STREAM[1], *raw, DONE]))
    chunks = parse_chunks((await api_client.post("/chat", json=STREAMED)).text)
    assert text_of(chunks) == f"Hello{text} there"
    body = whole({"content": "Hello"}).replace(b"Hello", text.encode())
    model_server.replies.append(Reply(chunks=[body]))
    [choice] = (await api_client.post("/chat", json=HELLO)).json()["choices"]
    assert choice["message"]["content"] == text


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
async def test_number_that_json_has_not_is_null_in_log_probabilities(
    number: str, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    logprobs = {"content": [{"token": "Hello", "logprob": 7, "top_logprobs": []}]}
    raw = whole({"content": "Hello"}).replace(
        b'"finish_reason"', b'"logprobs": ' + json.dumps(logprobs).encode() + b', "finish_reason"'
    )
    raw = raw.replace(b"7", number.encode())
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    model_server.replies.append(Reply(chunks=[raw]))
    body = HELLO | {"smolchat": {"conversation": conversation}}
    response = await api_client.post("/chat", json=body)
    assert not {"NaN", "Infinity"} & set(re.findall(r"\w+", response.text))
    stored = (await api_client.get(f"/conversations/{conversation}")).json()
    assert stored["messages"][-1]["logprobs"][0]["logprob"] is None


@pytest.mark.parametrize("indexes", [("0", "1"), (0, 1), (None, None)])
async def test_choices_have_an_index_each(
    indexes: tuple[object, object], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for index, text in zip(indexes, "ab", strict=True)
    ]
    for body in (HELLO, STREAMED):
        chunks = [json.dumps({"choices": choices}).encode()]
        model_server.replies.append(Reply(chunks=chunks))
        response = await api_client.post("/chat", json=body | {"n": 2})
        events = parse_chunks(response.text) if body is STREAMED else [response.json()]
        received = [choice for event in events for choice in event["choices"]]
        texts = [
            (each["index"], (each.get("message") or each["delta"])["content"]) for each in received
        ]
        assert texts == [(0, "a"), (1, "b")]


async def test_streamed_choices_with_indexes_as_text_stay_apart(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    chunks = [
        one_choice(index=index, delta={"content": text}, finish_reason=reason)
        for index, text, reason in [("0", "a", None), ("1", "b", "stop"), ("0", "c", "stop")]
    ]
    model_server.replies.append(Reply(headers=EVENTS, chunks=[*chunks, DONE]))
    response = await api_client.post("/chat", json=HELLO | {"n": 2})
    contents = [choice["message"]["content"] for choice in response.json()["choices"]]
    assert contents == ["ac", "b"]
