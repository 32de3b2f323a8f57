"""How a model server's stream is passed on, byte by byte."""

import json

import pytest

from backend.errors import ContextLengthExceededError, ModelServerError, SmolChatError
from backend.model_server.sse import DONE, SseRelay

PATH = "/models/bundles/sha256/532a/model/model.gguf"


def chunk(content: str | None = None, finish_reason: str | None = None, model: str = PATH) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    event = {"choices": [choice], "model": model, "object": "chat.completion.chunk"}
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def relay(*pieces: bytes, model: str = "ai/smollm2", choices: int = 1) -> bytes:
    stream = SseRelay(model, choices)
    passed_on = b""
    for piece in pieces:
        passed_on += stream.feed(piece)
        if stream.error:
            raise stream.error
        if stream.is_done:
            break
    return passed_on + stream.close()


WHOLE = chunk() + chunk("Hi \u2028 \U0001f600") + chunk(finish_reason="stop") + DONE


def test_bytes_are_untouched_where_the_name_is_the_same() -> None:
    assert relay(WHOLE, model=PATH) == WHOLE


def test_the_name_asked_for_replaces_the_path_in_every_chunk() -> None:
    assert relay(WHOLE) == WHOLE.replace(PATH.encode(), b"ai/smollm2")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_it_does_not_matter_where_the_bytes_are_cut(size: int) -> None:
    pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    assert relay(*pieces) == relay(WHOLE)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_every_line_ending_of_the_format_will_do(end: bytes) -> None:
    whole = (chunk("Hi") + chunk(finish_reason="stop") + DONE).replace(b"\n", end)
    assert b"ai/smollm2" in relay(whole)


def test_what_the_model_wrote_is_never_taken_for_the_protocol() -> None:
    text = f'"model":"{PATH}" data: [DONE] "finish_reason":"stop" \ndata: {{"error": 1}}\nerror: no'
    whole = chunk(text) + chunk(finish_reason="stop") + DONE
    events = relay(whole).split(b"\n\n")
    assert json.loads(events[0][6:])["choices"][0]["delta"]["content"] == text


def test_a_name_that_comes_late_is_replaced_too() -> None:
    nameless = chunk("Hi").replace(f',"model":"{PATH}"'.encode(), b"")
    assert PATH.encode() not in nameless
    pieces = [nameless, chunk(finish_reason="stop"), DONE]
    assert relay(*pieces) == b"".join(pieces).replace(PATH.encode(), b"ai/smollm2")


@pytest.mark.parametrize(
    "first", [chunk("Hi", model=""), chunk("Hi").replace(f',"model":"{PATH}"'.encode(), b"")]
)
def test_a_first_chunk_without_a_name_hides_no_later_one(first: bytes) -> None:
    assert PATH.encode() not in relay(first, chunk("x"), chunk(finish_reason="stop"), DONE)


@pytest.mark.parametrize("said", [PATH, "/models/other.gguf", "ai/smollm2"])
@pytest.mark.parametrize("colon", [b":", b": "])
def test_the_name_may_be_said_otherwise_in_every_chunk(said: str, colon: bytes) -> None:
    nameless = chunk("Hi").replace(f',"model":"{PATH}"'.encode(), b"")
    later = chunk("x", model=said).replace(b'"model":', b'"model"' + colon)
    pieces = [nameless + chunk("Hi"), later, nameless + later + chunk(finish_reason="stop"), DONE]
    whole = relay(*pieces)
    assert b".gguf" not in whole
    named = whole.count(b'"model":"ai/smollm2"') + whole.count(b'"model": "ai/smollm2"')
    assert named == 4


def test_a_name_in_a_tool_call_is_left_alone_in_every_chunk() -> None:
    call = chunk().replace(b'"content":null', b'"tool_calls":[{"arguments":{"model":"Tesla"}}]')
    assert relay(chunk("Hi"), call, call, chunk(finish_reason="stop")).count(b"Tesla") == 2


def test_what_a_tool_is_called_with_is_not_renamed() -> None:
    call = chunk().replace(b'"content":null', b'"tool_calls":[{"arguments":{"model":"Tesla"}}]')
    passed = relay(call + chunk(finish_reason="tool_calls") + DONE)
    assert b"Tesla" in passed
    assert PATH.encode() not in passed


@pytest.mark.parametrize("cut", [1, 2])
def test_what_we_add_is_an_event_of_its_own(cut: int) -> None:
    """Also where the model server left its last one without the blank line that ends it."""
    begun = chunk("Hi") + chunk(finish_reason="stop")
    assert (relay(begun[:-cut])).endswith(b"}\n\n" + DONE if cut == 2 else b"\n\n" + DONE)
    assert ModelServerError("No.").sse_event().startswith(b"\n\ndata: ")


def test_of_several_choices_each_has_to_end() -> None:
    one, both = chunk(finish_reason="stop"), chunk(finish_reason="stop") * 2
    assert (relay(both, choices=2)).endswith(DONE)
    with pytest.raises(ModelServerError, match="in the middle"):
        relay(one, choices=2)


def test_an_error_that_is_null_is_none() -> None:
    whole = WHOLE.replace(b'data: {"choices"', b'data: {"error": null, "choices"')
    assert relay(whole).count(b'"error": null') == 3


def test_comments_pass_and_are_no_first_event() -> None:
    stream = SseRelay("m")
    assert stream.feed(b": ping\n\n") == b""
    assert stream.feed(WHOLE).startswith(b": ping\n\ndata: {")


def test_an_answer_that_is_whole_gets_the_done_it_lacks() -> None:
    assert relay(chunk("Hi"), chunk(finish_reason="length")).endswith(DONE)


@pytest.mark.parametrize(
    "pieces",
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
def test_what_is_no_whole_answer_is_a_failure(pieces: list[bytes]) -> None:
    with pytest.raises(ModelServerError):
        relay(*pieces)


@pytest.mark.parametrize(
    "line",
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
def test_an_error_in_the_middle_ends_it_and_what_came_before_is_kept(line: bytes) -> None:
    stream = SseRelay("m")
    assert stream.feed(chunk("Hi", model="m") + line + DONE) == chunk("Hi", model="m")
    assert isinstance(stream.error, ModelServerError)


@pytest.mark.parametrize("said", [b'{"type":"ping"}', b'{"usage":{}}', b"hello", b"[1]"])
def test_what_is_neither_a_chunk_nor_an_error_is_passed_on(said: bytes) -> None:
    other = b"event: other\ndata: " + said + b"\n\n"
    assert other in relay(chunk("Hi"), other + chunk(finish_reason="stop") + DONE)


def test_what_follows_the_end_is_no_failure() -> None:
    assert relay(WHOLE + b'data: {"error": {"message": "late"}}\n\n', model=PATH) == WHOLE


def test_an_empty_reason_is_no_end() -> None:
    with pytest.raises(ModelServerError, match="in the middle"):
        relay(chunk("Hi", finish_reason=""), DONE)


def test_an_error_as_the_first_event_passes_nothing_on() -> None:
    overflow = b'data: {"error":{"n_prompt_tokens":9,"n_ctx":8,"message":"too long"}}\n\n'
    stream = SseRelay("m")
    assert stream.feed(b": ping\n\n" + overflow) == b""
    assert isinstance(stream.error, ContextLengthExceededError)


def test_nothing_is_read_after_done() -> None:
    with pytest.raises(SmolChatError):
        relay(chunk("Hi"), b"error: no\n\n", DONE)
    assert relay(WHOLE, b"data: more\n\n", model=PATH) == WHOLE
