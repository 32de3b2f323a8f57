"""What the page reads of a chunk, whatever a model server put into it."""

from typing import Any

import pytest

from answer_chunk import Chunk


@pytest.mark.parametrize("number", [None, -1, 1.5, "7", True, 10**30, [], {}])
def test_a_count_that_makes_no_sense_is_none(number: Any) -> None:
    chunk = Chunk.model_validate({"usage": {"prompt_tokens": number, "completion_tokens": 2}})
    assert chunk.usage
    assert (chunk.usage.prompt_tokens, chunk.usage.completion_tokens) == (None, 2)


@pytest.mark.parametrize("number", ["null", "0", "0.0", "-1", '"9"', "NaN", "Infinity", "1e999"])
def test_a_speed_that_makes_no_sense_is_none(number: str) -> None:
    chunk = Chunk.model_validate_json(f'{{"timings": {{"predicted_per_second": {number}}}}}')
    assert chunk.timings
    assert chunk.timings.predicted_per_second is None


@pytest.mark.parametrize("odd", [1, "text", [1], {"a": 1}, None])
def test_what_is_odd_elsewhere_costs_nothing_but_itself(odd: Any) -> None:
    raw = {"choices": [{"delta": {"content": "Hi", "reasoning_content": odd}}], "usage": odd}
    chunk = Chunk.model_validate(raw | {"timings": odd, "created": odd})
    assert chunk.choices[0].delta
    assert chunk.choices[0].delta.content == "Hi"
