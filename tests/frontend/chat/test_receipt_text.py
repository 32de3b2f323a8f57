"""What an answer cost, in words."""

from typing import Any

import pytest

from api.chat_chunk import Receipt
from chat import receipt_text as words

WHOLE = Receipt(
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
    ("known", "state", "line"),
    [
        ({}, "finished",
            "smollm2 · 41.3 tokens/s · first token 0.31 s · 1,031 in · 20 out · context 13%"),
        (
            {"completion_tokens_per_second": None, "context_size": None, "finish_reason": "length"},
            "finished",
            "smollm2 · first token 0.31 s · 1,031 in · 20 out · cut off at the token limit",
        ),
        ({"context_tokens": 35}, "finished",
            "smollm2 · 41.3 tokens/s · first token 0.31 s · 1,031 in · 20 out · context under 1%"),
        ({"completion_tokens": 0, "context_tokens": None, "completion_tokens_per_second": None},
            "finished", "smollm2 · first token 0.31 s · 1,031 in · 0 out"),
        ({"finish_reason": "odd", "context_size": None}, "finished",
            "smollm2 · 41.3 tokens/s · first token 0.31 s · 1,031 in · 20 out · ended by odd"),
    ],
)  # fmt: skip
def test_the_line_says_what_was_measured(known: dict[str, Any], state: str, line: str) -> None:
    assert words.summary_line(WHOLE.model_copy(update=known), state=state, is_empty=False) == line


@pytest.mark.parametrize(
    ("state", "is_empty", "line"),
    [
        ("stopped", True, "smollm2 · stopped"),
        ("interrupted", False, "smollm2 · interrupted"),
        ("failed", False, "smollm2 · broken off"),
        ("finished", True, "smollm2 · the model wrote nothing"),
    ],
)
def test_the_line_says_how_an_answer_ended(state: str, line: str, *, is_empty: bool) -> None:
    assert words.summary_line(Receipt(model="ai/smollm2"), state=state, is_empty=is_empty) == line


def test_the_details_say_everything() -> None:
    rows = dict(
        words.detail_rows(
            WHOLE, state="finished", sent={"temperature": 0.2}, about="135 M parameters"
        )
    )
    assert rows["Ended because"] == "the model had said what it had to say"
    assert rows["… of it read anew"] == "31 tokens at 120.5 tokens/s"
    assert rows["Answer"] == "20 tokens at 41.3 tokens/s"
    assert rows["Context"] == "1,051 of 8,192 tokens (13%)"
    assert rows["First token after"] == "312 ms"
    assert rows["All of it after"] == "1.50 s"
    assert rows["Parameters sent"] == "temperature 0.2"
    assert rows["Seed"] == "7"
    assert rows["Digest"] == "sha256:555555555555"


def test_what_was_not_measured_is_called_so_and_never_zero() -> None:
    rows = dict(words.detail_rows(Receipt(), state=None, sent=None, about=""))
    assert set(rows.values()) == {words.NOT_MEASURED}


def test_an_answer_that_was_stopped_and_sent_nothing_says_so() -> None:
    rows = dict(words.detail_rows(Receipt(), state="stopped", sent={}, about=""))
    assert rows["Ended because"] == "stopped before the model ended it"
    assert rows["Parameters sent"] == "none"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"seed": 7, "max_tokens": 1024, "logprobs": True, "top_logprobs": 5}, "smollm2"),
        ({"top_k": 5, "temperature": 0.2}, "smollm2 · top_k 5 · temperature 0.2"),
        ({"grammar": "x" * 300}, "smollm2 · grammar " + "x" * 111 + "…"),
    ],
)
def test_the_line_says_which_parameters_went_out(sent: dict[str, Any], told: str) -> None:
    receipt = Receipt(model="ai/smollm2")
    assert words.summary_line(receipt, state="finished", is_empty=False, sent=sent) == told


@pytest.mark.parametrize(
    ("used", "size", "share"),
    [(10, 100, 0.1), (None, 100, None), (10, None, None), (10, 0, None), (200, 100, 1.0)],
)
def test_the_gauge_shows_what_is_known(
    used: int | None, size: int | None, share: float | None
) -> None:
    assert words.context_share(Receipt(context_tokens=used, context_size=size)) == share
