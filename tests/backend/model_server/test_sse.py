"""Relaying a model server's stream, with the model id replaced and errors detected."""

import json
import re

import pytest

from backend.errors import ContextLengthExceededError, ModelServerError, SmolChatError
from backend.model_server.sse import DONE, SseRelay

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


STREAM = chunk() + chunk("Hi \u2028 \U0001f600") + chunk(finish_reason="stop") + DONE
TOOL_CALL = chunk().replace(b'"content":null', b'"tool_calls":[{"arguments":{"model":"Tesla"}}]')


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


def test_generated_text_is_never_parsed_as_protocol() -> None:
    text = f'"model":"{PATH}" data: [DONE] "finish_reason":"stop" \ndata: {{"error": 1}}\nerror: no'
    events = relayed(chunk(text) + chunk(finish_reason="stop") + DONE).split(b"\n\n")
    assert json.loads(events[0][6:])["choices"][0]["delta"]["content"] == text


def test_model_that_first_appears_in_a_later_chunk_is_replaced() -> None:
    first = without_model(chunk("Hi"))
    assert PATH.encode() not in first
    received = [first, chunk(finish_reason="stop"), DONE]
    assert relayed(*received) == b"".join(received).replace(PATH.encode(), b"ai/smollm2")


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
    assert len(re.findall(rb'"model": ?"ai/smollm2"', output)) == 4


def test_model_field_in_tool_arguments_of_later_chunks_is_not_rewritten() -> None:
    output = relayed(chunk("Hi"), TOOL_CALL, TOOL_CALL, chunk(finish_reason="stop"))
    assert output.count(b"Tesla") == 2


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
    assert relayed(last_chunk * 2, choices=2).endswith(DONE)
    with pytest.raises(ModelServerError, match="in the middle"):
        relayed(last_chunk, choices=2)


def test_null_error_is_ignored() -> None:
    stream = STREAM.replace(b'data: {"choices"', b'data: {"error": null, "choices"')
    assert relayed(stream).count(b'"error": null') == 3


def test_comments_are_held_until_the_first_event() -> None:
    relay = SseRelay("m")
    assert relay.feed(b": ping\n\n") == b""
    assert relay.feed(STREAM).startswith(b": ping\n\ndata: {")


def test_complete_stream_without_done_gets_one() -> None:
    assert relayed(chunk("Hi"), chunk(finish_reason="length")).endswith(DONE)


@pytest.mark.parametrize(
    "received",
    [
        [],
        [b": ping\n\n"],
        [DONE],
        [chunk("Hi")],
        [chunk("Hi") + DONE],
        [b"<html>hello</html>"],
        [b"data: hello\n\n"],
        [b"data: [1]\n\n"],
        [b'data: {"choices": 1}\n\n'],
        [b'{"choices": []}'],
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


@pytest.mark.parametrize("data", [b'{"type":"ping"}', b'{"usage":{}}', b"hello", b"[1]"])
def test_event_that_is_neither_chunk_nor_error_is_passed_on(data: bytes) -> None:
    event = b"event: other\ndata: " + data + b"\n\n"
    assert event in relayed(chunk("Hi"), event + chunk(finish_reason="stop") + DONE)


def test_error_after_done_is_ignored() -> None:
    assert relayed(STREAM + b'data: {"error": {"message": "late"}}\n\n', model=PATH) == STREAM


def test_empty_finish_reason_does_not_end_a_choice() -> None:
    with pytest.raises(ModelServerError, match="in the middle"):
        relayed(chunk("Hi", finish_reason=""), DONE)


def test_error_as_the_first_event_passes_nothing_on() -> None:
    overflow = b'data: {"error":{"n_prompt_tokens":9,"n_ctx":8,"message":"too long"}}\n\n'
    relay = SseRelay("m")
    assert relay.feed(b": ping\n\n" + overflow) == b""
    assert isinstance(relay.error, ContextLengthExceededError)


def test_data_after_done_is_ignored() -> None:
    with pytest.raises(SmolChatError):
        relayed(chunk("Hi"), b"error: no\n\n", DONE)
    assert relayed(STREAM, b"data: more\n\n", model=PATH) == STREAM
