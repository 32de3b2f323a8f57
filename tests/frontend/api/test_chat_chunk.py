"""Chunks with invalid numbers or fields of the wrong type."""

from typing import Any

import pytest

from api.chat_chunk import Chunk


def parse_receipt(**receipt: Any) -> Any:
    chunk = Chunk.model_validate({"smolchat": {"receipt": receipt}})
    assert chunk.smolchat
    return chunk.smolchat.receipt


@pytest.mark.parametrize("number", [None, -1, 1.5, "7", True, 10**30, [], {}])
def test_invalid_count_is_none(number: Any) -> None:
    receipt = parse_receipt(prompt_tokens=number, completion_tokens=2)
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (None, 2)


@pytest.mark.parametrize("number", ["null", "0", "0.0", "-1", '"9"', "NaN", "Infinity", "1e999"])
def test_invalid_rate_is_none(number: str) -> None:
    receipt = f'{{"completion_tokens_per_second": {number}, "seed": 7}}'
    chunk = Chunk.model_validate_json(f'{{"smolchat": {{"receipt": {receipt}}}}}')
    assert chunk.smolchat
    assert chunk.smolchat.receipt
    assert chunk.smolchat.receipt.completion_tokens_per_second is None
    assert chunk.smolchat.receipt.seed == 7


@pytest.mark.parametrize("value", [1, "text", [1], {"a": 1}, None])
def test_fields_of_the_wrong_type_do_not_affect_the_content(value: Any) -> None:
    raw = {"choices": [{"delta": {"content": "Hi", "reasoning_content": value}}], "created": value}
    for extensions in (value, {"receipt": value, "progress": value, "conversation": value}):
        chunk = Chunk.model_validate(raw | {"smolchat": extensions})
        assert chunk.choices[0].delta
        assert chunk.choices[0].delta.content == "Hi"
