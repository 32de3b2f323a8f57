from typing import Any

import pytest

from answer_chunk import Timings, Usage
from answer_job import Answer
from api_client import ApiError
from conversation import Turn, facts, to_request

USAGE = Usage(prompt_tokens=1031, completion_tokens=20)


def test_a_request_holds_what_was_said_and_what_was_chosen() -> None:
    turns = [Turn("One?", Answer("1", state="stopped")), Turn("Two?", Answer())]
    request = to_request(turns, system=" Be brief. ", model="m", parameters={"seed": 1})
    assert request == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "Two?"},
        ],
        "model": "m",
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_is_empty_is_left_out() -> None:
    turns = [Turn("One?", Answer(state="failed")), Turn("Two?", Answer("old", state="finished"))]
    request = to_request(turns, system=" ", model=None, parameters={})
    assert "model" not in request
    assert [message["content"] for message in request["messages"]] == ["One?", "Two?"]


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (
            {
                "usage": USAGE,
                "timings": Timings(predicted_per_second=41.26),
                "finish_reason": "stop",
            },
            "smollm2 · 41.3 tokens/s · first token 0.31 s · 1,031 in · 20 out",
        ),
        (
            {"usage": USAGE, "finish_reason": "length"},
            "smollm2 · first token 0.31 s · 1,031 in · 20 out · cut off at the token limit",
        ),
        (
            {"text": "", "finish_reason": "stop"},
            "smollm2 · first token 0.31 s · the model wrote nothing",
        ),
        ({"usage": Usage(completion_tokens=0)}, "smollm2 · first token 0.31 s · 0 out"),
        ({"state": "stopped"}, "smollm2 · first token 0.31 s · stopped"),
        ({"state": "stopped", "first_token_seconds": None}, "smollm2 · stopped"),
        ({"state": "failed", "text": "Hm"}, "smollm2 · first token 0.31 s · broken off"),
        ({"state": "failed", "text": "", "model": "", "first_token_seconds": None}, ""),
    ],
)
def test_the_facts_are_what_was_measured(known: dict[str, Any], line: str) -> None:
    defaults: dict[str, Any] = {
        "text": "Hm",
        "finish_reason": "stop",
        "model": "ai/smollm2",
        "state": "finished",
        "first_token_seconds": 0.312,
    }
    assert facts(Answer(**(defaults | known))) == line


def test_a_new_answer_that_fails_leaves_the_earlier_one() -> None:
    turn = Turn("One?", Answer("good", state="finished"))
    for worse in [Answer("ba", state="failed", error=ApiError("No.")), Answer(state="stopped")]:
        turn.begin(worse)
        assert turn.shown.text == "good"
    for other in [Answer("better", state="finished"), Answer("be", state="stopped")]:
        turn.begin(other)
        assert turn.shown is other


def test_a_partial_answer_stays_while_another_is_tried() -> None:
    turn = Turn("One?", Answer("Once", state="failed"))
    turn.begin(Answer(state="failed"))
    assert turn.shown.text == "Once"
