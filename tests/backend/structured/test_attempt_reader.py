"""An answer is read as JSON in whatever form a model and its server send it."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import DONE, EVENTS, FakeModelServer, Reply, chunk
from tests.support.sse import parse_chunks
from tests.support.structured_requests import (
    ANN,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)

PARSED = {"age": 31, "name": "Ann"}
DRAFT = '{"age": 30, "name": "Ann"}'
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}


def _stream(deltas: Sequence[dict[str, Any]], finish_reason: str | None = "stop") -> Reply:
    last = [chunk({}, finish_reason)] if finish_reason else []
    return Reply(headers=EVENTS, chunks=[*map(chunk, deltas), *last, DONE])


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning_content": DRAFT}, {"content": ANN}],
        [{"reasoning": DRAFT}, {"content": ANN}],
        [{"content": f"<think>{DRAFT}</think>{ANN}"}],
        [{"content": f"<think>\n{DRAFT}\n</th"}, {"content": f"ink>\n\n{ANN}"}],
        [{"content": f"I would say {DRAFT}, no.\n</think>\n\n{ANN}"}],
        [{"content": f"[THINK]{DRAFT}[/THINK]```json\n{ANN}\n```"}],
        [{"content": [THINKING]}, {"content": [{"type": "text", "text": ANN}]}],
        [{"content": f"Sure, here it is:\n```json\n{ANN}\n```\nAnything else?"}],
        [{"content": f"The JSON is {ANN}."}],
        [{"content": f"As [1] says, it is\n\n{ANN}"}],
        [{"reasoning_content": ANN}],
        [{"reasoning": ANN, "content": None}, {"content": "\n"}],
    ],
)
def test_reasoning_and_prose_are_not_part_of_the_answer(
    deltas: list[dict[str, Any]], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, _stream(deltas)]
    status, response = post(api_url, structured_request())
    assert (status, response.get("parsed")) == (200, PARSED), response
    assert len(response["answers"][0]["attempts"]) == 1


def test_text_is_what_the_model_wrote(api_url: str, model_server: FakeModelServer) -> None:
    text = f"<think>{DRAFT}</think>\n\nIt is {ANN}."
    model_server.replies += [PROBE_PASSED, stream_text(text)]
    assert post(api_url, structured_request())[1]["text"] == text


@pytest.mark.parametrize("finish_reason", ["stop", None])
def test_answer_without_a_finish_reason_is_finished(
    finish_reason: str | None, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, _stream([{"content": ANN}], finish_reason)]
    status, response = post(api_url, structured_request())
    assert (status, response.get("parsed")) == (200, PARSED), response
    assert response["answers"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "text",
    [
        '{"person": {"age": 31, "name": "Ann"}, "more": "cut',
        '{"person": {"age": 31, "name": "Ann"}, more}',
        '{"person": {"age": 31, "name": "Ann"}}',
        f"<think>It is {ANN}, I am",
        f"<think>{ANN}",
        f"<think>{ANN}</think>",
    ],
)
def test_no_answer_is_cut_out_of_json_or_reasoning(
    text: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_text(text)] * 3]
    status, response = post(api_url, structured_request())
    assert (status, response["error"]["code"]) == (502, "validation_failed")
    assert response["error"]["text"] == text


def test_a_repeated_attempt_does_not_see_the_reasoning(
    api_url: str, model_server: FakeModelServer
) -> None:
    wrong = '<think>Secret.</think>{"age": -1, "name": "Ann"}'
    model_server.replies += [PROBE_PASSED, stream_text(wrong), stream_text(ANN)]
    assert post(api_url, structured_request())[0] == 200
    *_, answer, _ = model_server.chat_requests[-1].body["messages"]
    assert answer == {"role": "assistant", "content": '{"age": -1, "name": "Ann"}'}


@pytest.mark.parametrize(
    "text", [f"<think>{DRAFT}</think>{ANN}", f"Sure:\n```json\n{ANN}\n```", f"It is {ANN}."]
)
def test_stream_shows_only_the_answer_as_it_grows(
    text: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(text)]
    body = structured_request(stream=True)
    response = httpx.post(f"{api_url}/structured", json=body, timeout=60)
    *events, result = parse_chunks(response.text)
    assert [event["partial"] for event in events] == [{}, {"age": 31}, PARSED]
    assert result["result"]["parsed"] == PARSED
