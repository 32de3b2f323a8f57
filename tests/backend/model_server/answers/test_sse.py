"""Relaying a model server's stream, with the model id replaced and errors detected."""

import json
import re
import time
from typing import Any

import pytest

from backend.errors import ContextLengthExceededError, ModelServerError, SmolChatError
from backend.model_server.answers.sse import DONE, SseRelay, parse_events
from backend.model_server.answers.whole_response import read_whole_response
from backend.model_server.response_limits import ResponseLimits

PATH = "/models/bundles/sha256/532a/model/model.gguf"


def chunk(content: str | None = None, finish_reason: str | None = None, model: str = PATH) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    event = {"choices": [choice], "model": model, "object": "chat.completion.chunk"}
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def relayed(*received: bytes, model: str = "ai/smollm2", choices: int = 1) -> bytes:
    relay = SseRelay(model, choices)
    output = b""
    for data in received:
        output += relay.feed(data)
        if relay.error:
            raise relay.error
        if relay.is_done:
            break
    return output + relay.close()


def without_model(data: bytes) -> bytes:
    return data.replace(f',"model":"{PATH}"'.encode(), b"")


def events(output: bytes) -> list[dict[str, Any]]:
    return list(parse_events(output))


def texts(output: bytes) -> str:
    choices = [choice for event in events(output) for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


STREAM = chunk() + chunk("Hi \u2028 \U0001f600") + chunk(finish_reason="stop") + DONE
TOOL_CALL = chunk().replace(
    b'"content":null', b'"tool_calls":[{"index":0,"function":{"arguments":{"model":"Tesla"}}}]'
)


def test_stream_with_the_requested_model_id_is_unchanged() -> None:
    assert relayed(STREAM, model=PATH) == STREAM


def test_model_path_is_replaced_in_every_chunk() -> None:
    assert relayed(STREAM) == STREAM.replace(PATH.encode(), b"ai/smollm2")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_output_is_the_same_for_any_chunk_boundary(size: int) -> None:
    received = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert relayed(*received) == relayed(STREAM)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_every_line_ending_of_sse_is_accepted(line_end: bytes) -> None:
    stream = chunk("Hi") + chunk(finish_reason="stop") + DONE
    assert b"ai/smollm2" in relayed(stream.replace(b"\n", line_end))


TEXTS = [
    "Hi",
    " there",
    "",
    ' "quoted" ',
    "back\\slash",
    "line\nbreak",
    "é",
    "\U0001f642",
    "a",
    "b",
]


@pytest.mark.parametrize("name", [PATH, "ai/smollm2"])
def test_chunks_that_differ_in_their_text_only_keep_it(name: str) -> None:
    chunks = [chunk(text, model=name) for text in TEXTS * 2]
    varied = chunk("x", model=name).replace(b'"object"', b'"created":5,"object"')
    received = [*chunks, varied, varied, chunks[0], chunk(finish_reason="stop", model=name), DONE]
    expected = b"".join(received).replace(name.encode(), b"ai/smollm2")
    assert relayed(*received) == expected
    for size in (2, 3, 7, len(received)):  # several events in one read
        reads = [b"".join(received[i : i + size]) for i in range(0, len(received), size)]
        assert relayed(*reads) == expected


@pytest.mark.parametrize("text", [rb"\ud83d", rb"\ude00", b"\xff", b"\xed\xa0\xbd", b"\x01"])
def test_broken_text_never_passes_as_it_is(text: bytes) -> None:
    broken = chunk("x").replace(b'"x"', b'"' + text + b'"')
    output = relayed(chunk("a"), chunk("b"), broken, chunk(finish_reason="stop"), DONE)
    assert all(json.loads(line[6:]) for line in output.splitlines() if line.startswith(b"data: {"))
    assert b'"content":"' + text + b'"' not in output


def test_generated_text_is_never_parsed_as_protocol() -> None:
    text = f'"model":"{PATH}" data: [DONE] "finish_reason":"stop" \ndata: {{"error": 1}}\nerror: no'
    events = relayed(chunk(text) + chunk(finish_reason="stop") + DONE).split(b"\n\n")
    assert json.loads(events[0][6:])["choices"][0]["delta"]["content"] == text


def test_model_that_first_appears_in_a_later_chunk_is_replaced() -> None:
    first = without_model(chunk("Hi"))
    assert PATH.encode() not in first
    output = relayed(first, chunk(finish_reason="stop"), DONE)
    assert [event["model"] for event in events(output)] == ["ai/smollm2", "ai/smollm2"]
    assert texts(output) == "Hi"


@pytest.mark.parametrize("first", [chunk("Hi", model=""), without_model(chunk("Hi"))])
def test_model_is_replaced_after_a_first_chunk_without_one(first: bytes) -> None:
    assert PATH.encode() not in relayed(first, chunk("x"), chunk(finish_reason="stop"), DONE)


@pytest.mark.parametrize("model", [PATH, "/models/other.gguf", "ai/smollm2"])
@pytest.mark.parametrize("colon", [b":", b": "])
def test_model_is_replaced_if_it_differs_between_chunks(model: str, colon: bytes) -> None:
    nameless = without_model(chunk("Hi"))
    later = chunk("x", model=model).replace(b'"model":', b'"model"' + colon)
    last = nameless + later + chunk(finish_reason="stop")
    output = relayed(nameless + chunk("Hi"), later, last, DONE)
    assert b".gguf" not in output
    assert len(re.findall(rb'"model": ?"ai/smollm2"', output)) == 6


def test_model_field_in_tool_arguments_of_later_chunks_is_not_rewritten() -> None:
    other_call = TOOL_CALL.replace(b"Tesla", b"Volvo").replace(b'[{"index":0,"f', b'[{"index":1,"f')
    output = relayed(chunk("Hi"), TOOL_CALL, other_call, chunk(finish_reason="stop"))
    assert b"Tesla" in output
    assert b"Volvo" in output


def test_model_field_in_tool_arguments_of_the_first_chunk_is_not_rewritten() -> None:
    output = relayed(TOOL_CALL + chunk(finish_reason="tool_calls") + DONE)
    assert b"Tesla" in output
    assert PATH.encode() not in output


@pytest.mark.parametrize("missing", [1, 2])
def test_added_events_follow_a_blank_line(missing: int) -> None:
    """Even if the model server did not end its last event with one."""
    stream = chunk("Hi") + chunk(finish_reason="stop")
    expected_end = b"}\n\n" + DONE if missing == 2 else b"\n\n" + DONE
    assert relayed(stream[:-missing]).endswith(expected_end)
    assert ModelServerError("No.").sse_event().startswith(b"\n\ndata: ")


def test_stream_of_several_choices_needs_a_finish_reason_for_each() -> None:
    last_chunk = chunk(finish_reason="stop")
    second = last_chunk.replace(b'"index":0', b'"index":1')
    assert relayed(second + last_chunk, choices=2).endswith(DONE)
    for incomplete in (last_chunk, second, last_chunk * 2):
        with pytest.raises(ModelServerError, match="in the middle"):
            relayed(incomplete, choices=2)


def test_null_error_is_ignored() -> None:
    stream = STREAM.replace(b'data: {"choices"', b'data: {"error": null, "choices"')
    assert relayed(stream).count(b'"error":null') == 3


def test_comments_before_the_first_event_are_left_out() -> None:
    relay = SseRelay("m")
    assert relay.feed(b": ping\n\n") == b""
    assert relay.feed(STREAM).startswith(b"data: {")


def test_complete_stream_without_done_gets_one() -> None:
    assert relayed(chunk("Hi"), chunk(finish_reason="length")).endswith(DONE)


@pytest.mark.parametrize(
    "received",
    [
        [],
        [b": ping\n\n"],
        [DONE],
        [chunk("Hi")],
        [b"<html>hello</html>"],
        [b"data: hello\n\n"],
        [b"data: [1]\n\n"],
        [b'data: {"choices": 1}\n\n'],
        [b'{"choices": []}'],
        [b'data: {"choices": [], "prompt_filter_results": []}\n\n' + DONE],
        [b"data: {}\n\ndata:\n\n" + DONE],
        [b"\x00" * 9_000_000],
    ],
)
def test_incomplete_or_invalid_stream_raises(received: list[bytes]) -> None:
    with pytest.raises(ModelServerError):
        relayed(*received)


@pytest.mark.parametrize(
    "error_event",
    [
        b'data: {"error": {"message": "boom"}}\n\n',
        b'data:{"error":{"message":"boom"}}\r\n\r\n',
        b'error: {"message": "boom"}\n\n',
        b'data: {"type":"error","code":null,"message":"boom"}\n\n',
        b'data: {"object": "error", "message": "boom"}\n\n',
        b'data: {"choices": [{"finish_reason": "error"}], "error": {"message": "/m/x"}}\n\n',
        b'event: error\ndata: {"message": "boom at /m/x"}\n\n',
        b'event:error\r\ndata: {"code": 5, "choices": []}\r\n\r\n',
        b"event: error\n",
        b'data: {"detail": "boom at /m/x"}\n\n',
        b'data: {"code": 500, "message": "boom at /m/x"}\n\n',
    ],
)
def test_error_event_ends_the_stream_after_the_chunks_before_it(error_event: bytes) -> None:
    relay = SseRelay("m")
    assert relay.feed(chunk("Hi", model="m") + error_event + DONE) == chunk("Hi", model="m")
    assert isinstance(relay.error, ModelServerError)


OTHER_EVENTS = {
    "empty data": b"data:\n\n",
    "blank data": b"data: \n\n",
    "empty object": b"data: {}\n\n",
    "null": b"data: null\n\n",
    "empty text": b'data: ""\n\n',
    "word": b"data: hello\n\n",
    "list": b"data: [1]\n\n",
    "empty usage": b'data: {"usage": {}}\n\n',
    "null choices": b'data: {"id": "x", "choices": null}\n\n',
    "ping": b'event: ping\ndata: {"type": "ping"}\n\n',
    "named ping without data": b"event: ping\n\n",
    "comment": b": ping\n\n",
    "retry": b"retry: 3000\n\n",
    "filter results": b'data: {"prompt_filter_results": [{"prompt_index": 0}]}\n\n',
    "several lines": b'event: ping\ndata: {\ndata: "type": "ping"}\n\n',
}


@pytest.mark.parametrize("name", OTHER_EVENTS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 5, 10_000])
@pytest.mark.parametrize("position", ["first", "later"])
def test_event_that_is_neither_chunk_nor_error_is_skipped(
    position: str, size: int, line_end: bytes, name: str
) -> None:
    other = OTHER_EVENTS[name]
    stream = (other if position == "first" else b"") + chunk("Hi")
    stream += other + chunk(" there") + other + chunk(finish_reason="stop") + other + DONE
    stream = stream.replace(b"\n", line_end)
    output = relayed(*(stream[start : start + size] for start in range(0, len(stream), size)))
    assert texts(output) == "Hi there"
    # What a client reads as an event has to be a chunk.
    blocks = [block for block in re.split(rb"\r?\n\r?\n", output) if block]
    events = [block for block in blocks if not re.match(rb":|retry:", block)]
    assert all(block.startswith(b'data: {"') for block in events[:-1])
    assert len(events) == 4


def test_byte_order_mark_before_the_stream_is_skipped() -> None:
    for size in (1, 2, 100):
        stream = b"\xef\xbb\xbf" + STREAM
        received = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert relayed(*received, model=PATH) == STREAM


def test_usage_in_an_event_without_choices_is_kept() -> None:
    usage = b'data: {"usage": {"prompt_tokens": 5}}\n\n'
    output = relayed(chunk("Hi"), chunk(finish_reason="stop"), usage, DONE)
    assert events(output)[-1]["usage"] == {"prompt_tokens": 5}
    assert events(output)[-1]["choices"] == []


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_choice_without_a_finish_reason_gets_stop_after_done(size: int) -> None:
    stream = chunk("Hello") + chunk(" world") + DONE
    output = relayed(*(stream[start : start + size] for start in range(0, len(stream), size)))
    *_, last = events(output)
    assert texts(output) == "Hello world"
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert last["model"] == "ai/smollm2"
    assert output.endswith(DONE)


def test_each_of_several_choices_without_a_finish_reason_gets_one() -> None:
    second = chunk("b").replace(b'"index":0', b'"index":1')
    output = relayed(chunk("a") + second, chunk(finish_reason="length") + DONE, choices=2)
    finished = [choice for event in events(output) for choice in event["choices"]]
    assert [(each["index"], each["finish_reason"]) for each in finished[2:]] == [
        (0, "length"),
        (1, "stop"),
    ]


def test_finish_reason_of_a_tool_call_that_has_none_is_tool_calls() -> None:
    call = chunk().replace(
        b'"content":null',
        b'"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]',
    )
    assert events(relayed(call, DONE))[-1]["choices"][0]["finish_reason"] == "tool_calls"


WHOLE = {
    "id": "x",
    "model": PATH,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there"},
            "finish_reason": "length",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("prefix", [b"", b"\n ", b"\xef\xbb\xbf"])
def test_whole_response_becomes_a_stream(prefix: bytes, indent: int | None, size: int) -> None:
    raw = prefix + json.dumps(WHOLE, indent=indent).encode() + b"\n"
    relay = SseRelay("ai/smollm2", includes_usage=True)
    output = b"".join(relay.feed(raw[i : i + size]) for i in range(0, len(raw), size))
    output += relay.close()
    first, last = events(output)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hello there"}
    assert first["choices"][0]["finish_reason"] == "length"
    assert (first["model"], first["object"]) == ("ai/smollm2", "chat.completion.chunk")
    assert (last["choices"], last["usage"]) == ([], WHOLE["usage"])
    assert output.endswith(DONE)


@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, [{"error": {"message": "no"}}]])
def test_error_as_a_whole_response_ends_the_stream(body: object) -> None:
    with pytest.raises(ModelServerError):
        relayed(json.dumps(body).encode())


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_error_event_is_read_at_any_chunk_boundary(size: int) -> None:
    stream = chunk("Hi") + b'event: error\ndata: {"n_prompt_tokens": 9, "n_ctx": 8}\n\n'
    with pytest.raises(ContextLengthExceededError):
        relayed(*(stream[start : start + size] for start in range(0, len(stream), size)))


def test_error_after_done_is_ignored() -> None:
    assert relayed(STREAM + b'data: {"error": {"message": "late"}}\n\n', model=PATH) == STREAM


def test_empty_finish_reason_does_not_end_a_choice() -> None:
    with pytest.raises(ModelServerError, match="in the middle"):
        relayed(chunk("Hi", finish_reason=""))


def test_error_as_the_first_event_passes_nothing_on() -> None:
    overflow = b'data: {"error":{"n_prompt_tokens":9,"n_ctx":8,"message":"too long"}}\n\n'
    relay = SseRelay("m")
    assert relay.feed(b": ping\n\n" + overflow) == b""
    assert isinstance(relay.error, ContextLengthExceededError)


def test_data_after_done_is_ignored() -> None:
    with pytest.raises(SmolChatError):
        relayed(chunk("Hi"), b"error: no\n\n", DONE)
    assert relayed(STREAM, b"data: more\n\n", model=PATH) == STREAM


def long_stream(name: str, count: int) -> list[bytes]:
    parsed = b"data: {}\n\n"  # is not passed on, so that the rest is parsed
    call = b'{"id":"c","function":{"name":"f","arguments":"x"}}'
    piece = chunk("x").replace(b'"content": "x"', b'"tool_calls":[' + call + b"]")
    streams = {
        "one line": [b"data: ", *[b"x"] * count],
        "one line after the first chunk": [chunk("Hi"), b"data: ", *[b"x"] * count],
        "one parsed line": [parsed, b"data: ", *[b"x"] * count],
        "one JSON line": [b"{", *[b"x"] * count],
        "comments": [b": ping\n"] * count,
        "blank lines": [b"\n"] * count,
        "lines of one event": [parsed, *[b"data: x\n"] * count],
        "lines of JSON": [b"{\n", *[b"}\n"] * count],
        "tool arguments": [piece] * (count // 20),
    }
    return streams[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "one line",
        "one line after the first chunk",
        "one parsed line",
        "one JSON line",
        "comments",
        "blank lines",
        "lines of one event",
        "lines of JSON",
        "tool arguments",
    ],
)
def test_long_stream_costs_linear_time(name: str) -> None:
    def seconds(pieces: list[bytes]) -> float:
        relay, started_at = SseRelay("m"), time.process_time()
        for piece in pieces:
            relay.feed(piece)
        return time.process_time() - started_at

    count = 20_000
    short = min(seconds(long_stream(name, count)) for _ in range(3))
    long = min(seconds(long_stream(name, 8 * count)) for _ in range(2))
    assert long < 24 * short + 0.05


def test_whole_response_of_a_long_stream_costs_linear_time() -> None:
    def seconds(count: int) -> float:
        raw = chunk("x" * 100) * count + DONE
        started_at = time.process_time()
        read_whole_response(raw, "m", 1, ResponseLimits(2**30, 2**30, 10**7))
        return time.process_time() - started_at

    assert seconds(32_000) < 16 * min(seconds(4000), seconds(4000)) + 0.05
