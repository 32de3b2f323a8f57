"""The stats of an answer as text."""

from typing import Any

import pytest

from api.chat_chunk import Receipt
from receipts import receipt_text

COMPLETE = Receipt(
    model="ai/smollm2",
    model_digest=f"sha256:{64 * '5'}",
    seed=7,
    finish_reason="stop",
    prompt_tokens=1031,
    cached_tokens=1000,
    completion_tokens=20,
    first_token_ms=312.0,
    total_ms=1500.0,
    prompt_tokens_per_second=120.5,
    completion_tokens_per_second=41.26,
    context_tokens=1051,
    context_size=8192,
)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "smollm2 · 41.3 tokens/s · first token 0.31 s · {counts} · context 13%"),
        (
            {"completion_tokens_per_second": None, "context_size": None, "finish_reason": "length"},
            "smollm2 · token limit reached · first token 0.31 s · {counts}",
        ),
        (
            {"context_tokens": 35},
            "smollm2 · 41.3 tokens/s · first token 0.31 s · {counts} · context <1%",
        ),
        (
            {"completion_tokens": 0, "context_tokens": None, "completion_tokens_per_second": None},
            "smollm2 · first token 0.31 s · 1,031 prompt · 0 completion tokens",
        ),
        (
            {"completion_tokens": None, "first_token_ms": None, "context_size": None},
            "smollm2 · 41.3 tokens/s · 1,031 prompt tokens",
        ),
        (
            {"completion_tokens": None, "text_chunks": 20, "speed_source": "smolchat"}
            | {"context_size": None},
            "smollm2 · ≈41.3 tokens/s · first token 0.31 s · 1,031 prompt · ≈20 completion tokens",
        ),
        (
            {"model": "hf.co/bartowski/SmolLM2-GGUF:Q4", "context_tokens": None}
            | {"speed_source": "model_server"},
            "SmolLM2-GGUF:Q4 · 41.3 tokens/s · first token 0.31 s · {counts}",
        ),
        (
            {"finish_reason": "odd", "context_size": None},
            "smollm2 · finish reason odd · 41.3 tokens/s · first token 0.31 s · {counts}",
        ),
    ],
)
def test_summary_line_has_the_measured_values(fields: dict[str, Any], line: str) -> None:
    receipt = COMPLETE.model_copy(update=fields)
    expected = line.format(counts="1,031 prompt · 20 completion tokens")
    assert receipt_text.summary_line(receipt, state="finished", is_empty=False) == expected


@pytest.mark.parametrize(
    ("state", "is_empty", "line"),
    [
        ("stopped", True, "smollm2 · stopped"),
        ("interrupted", False, "smollm2 · interrupted"),
        ("failed", False, "smollm2 · failed"),
        ("finished", True, "smollm2 · empty response"),
    ],
)
def test_summary_line_has_the_state_of_an_incomplete_answer(
    state: str, line: str, *, is_empty: bool
) -> None:
    receipt = Receipt(model="ai/smollm2")
    assert receipt_text.summary_line(receipt, state=state, is_empty=is_empty) == line


def test_detail_rows_have_all_stats() -> None:
    rows = dict(
        receipt_text.detail_rows(
            COMPLETE, state="finished", sent={"temperature": 0.2}, about="135 M parameters"
        )
    )
    assert rows["Finish reason"] == "stop"
    assert rows["Processed"] == "31 tokens at 120.5 tokens/s"
    assert rows["Completion"] == "20 tokens at 41.3 tokens/s"
    assert rows["Context"] == "1,051 of 8,192 tokens (13%)"
    assert rows["Time to first token"] == "312 ms"
    assert rows["Total time"] == "1.50 s"
    assert rows["Parameters sent"] == "temperature 0.2"
    assert rows["Seed"] == "7"
    assert rows["Digest"] == "sha256:555555555555"


def test_unmeasured_values_are_not_available_and_never_zero() -> None:
    rows = dict(receipt_text.detail_rows(Receipt(), state=None, sent=None, about=""))
    assert set(rows.values()) == {receipt_text.NOT_MEASURED}


def test_detail_rows_of_a_stopped_answer_without_parameters() -> None:
    rows = dict(receipt_text.detail_rows(Receipt(), state="stopped", sent={}, about=""))
    assert rows["Finish reason"] == "stopped before finishing"
    assert rows["Parameters sent"] == "none"


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ({"seed": 7, "max_tokens": 1024, "logprobs": True, "top_logprobs": 5}, "smollm2"),
        ({"top_k": 5, "temperature": 0.2}, "smollm2 · top_k 5 · temperature 0.2"),
        ({"grammar": "x" * 300}, "smollm2 · grammar " + "x" * 111 + "…"),
    ],
)
def test_summary_line_has_the_parameters_sent(sent: dict[str, Any], line: str) -> None:
    receipt = Receipt(model="ai/smollm2")
    assert receipt_text.summary_line(receipt, state="finished", is_empty=False, sent=sent) == line


@pytest.mark.parametrize(
    ("used", "size", "share"),
    [(10, 100, 0.1), (None, 100, None), (10, None, None), (10, 0, None), (200, 100, 1.0)],
)
def test_context_share_is_none_if_not_measured(
    used: int | None, size: int | None, share: float | None
) -> None:
    assert receipt_text.context_share(Receipt(context_tokens=used, context_size=size)) == share
