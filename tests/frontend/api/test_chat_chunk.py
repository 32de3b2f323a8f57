"""What the page reads of a chunk, whatever a model server put into it."""

from typing import Any

import pytest

from api.chat_chunk import Chunk


def told(**receipt: Any) -> Any:
    chunk = Chunk.model_validate({"smolchat": {"receipt": receipt}})
    assert chunk.smolchat
    return chunk.smolchat.receipt


@pytest.mark.parametrize("number", [None, -1, 1.5, "7", True, 10**30, [], {}])
def test_a_count_that_makes_no_sense_is_none(number: Any) -> None:
    receipt = told(prompt_tokens=number, completion_tokens=2)
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (None, 2)


@pytest.mark.parametrize("number", ["null", "0", "0.0", "-1", '"9"', "NaN", "Infinity", "1e999"])
def test_a_speed_that_makes_no_sense_is_none(number: str) -> None:
    receipt = f'{{"completion_tokens_per_second": {number}, "seed": 7}}'
    chunk = Chunk.model_validate_json(f'{{"smolchat": {{"receipt": {receipt}}}}}')
    assert chunk.smolchat
    assert chunk.smolchat.receipt
    assert chunk.smolchat.receipt.completion_tokens_per_second is None
    assert chunk.smolchat.receipt.seed == 7


@pytest.mark.parametrize("odd", [1, "text", [1], {"a": 1}, None])
def test_what_is_odd_elsewhere_costs_nothing_but_itself(odd: Any) -> None:
    raw = {"choices": [{"delta": {"content": "Hi", "reasoning_content": odd}}], "created": odd}
    for extra in (odd, {"receipt": odd, "progress": odd, "conversation": odd}):
        chunk = Chunk.model_validate(raw | {"smolchat": extra})
        assert chunk.choices[0].delta
        assert chunk.choices[0].delta.content == "Hi"
