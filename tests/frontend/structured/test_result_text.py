"""Texts about a structured output."""

from typing import Any

import pytest

from api.chat_chunk import Usage
from api.errors import ApiError
from api.structured_response import (
    Attempt,
    StructuredProgress,
    StructuredResponse,
    Unenforced,
    ValidationIssue,
)
from structured import result_text
from structured.stream_job import StructuredRun
from structured.target_schema import TargetSchema

USAGE = Usage(prompt_tokens=1069, completion_tokens=53)


def run(**fields: Any) -> StructuredRun:
    return StructuredRun(**({"target": TargetSchema({}, registered_name="recipe")} | fields))


@pytest.mark.parametrize(
    ("progress", "attempt", "label"),
    [
        (None, 1, "Waiting for the model…"),
        (StructuredProgress(phase="waiting", position=2), 1, "Queued, position 2…"),
        (StructuredProgress(phase="loading"), 1, "Loading the model…"),
        (StructuredProgress(phase="reading", fraction=0.4), 1, "Processing the prompt, 40%…"),
        (StructuredProgress(phase="writing", fraction=0.4), 2, "Generating, attempt 2…"),
        (StructuredProgress(phase="thinking"), 1, "Waiting for the model…"),
    ],
)
def test_progress_label_names_phase_and_attempt(
    progress: StructuredProgress | None, attempt: int, label: str
) -> None:
    assert result_text.progress_label(run(progress=progress, attempt=attempt)) == label


def test_summary_omits_what_was_not_measured() -> None:
    assert result_text.summary_line(run(), []) == "recipe"
    response = StructuredResponse.model_validate(
        {"answers": [{"parsed": 1, "text": "1"}], "usage": USAGE.model_dump()}
    )
    custom = run(response=response, seconds=0.84, target=TargetSchema({}))
    assert result_text.summary_line(custom, [Attempt()]) == (
        "custom schema · 1 attempt · 0.84 s · 1,069 prompt · 53 completion tokens"
    )
    assert result_text.summary_line(run(), [Attempt(), Attempt()]) == "recipe · 2 attempts"


@pytest.mark.parametrize(
    ("usage", "summary"),
    [
        (Usage(), "recipe"),
        (Usage(prompt_tokens=7), "recipe · 7 prompt tokens"),
        (Usage(completion_tokens=7), "recipe · 7 completion tokens"),
    ],
)
def test_summary_shows_the_token_counts_that_are_known(usage: Usage, summary: str) -> None:
    response = StructuredResponse.model_validate(
        {"answers": [{"parsed": 1, "text": "1"}], "usage": usage.model_dump()}
    )
    assert result_text.summary_line(run(response=response), []) == summary


def test_attempt_row_shows_unknown_values() -> None:
    issues = [
        ValidationIssue(pointer="/a", keyword="maxLength"),
        ValidationIssue(keyword="required"),
    ]
    truncated = Attempt(finish_reason="length", errors=issues, level=0, usage=USAGE, ms=1234)
    assert list(result_text.attempt_row(1, truncated).values()) == [
        "1", "length", "level 0", "maxLength at /a and 1 more", "53", "1.23",
    ]  # fmt: skip
    assert list(result_text.attempt_row(2, Attempt()).values()) == [
        "2", "unknown", "unknown", "none", "n/a", "n/a",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "keyword", "label"),
    [
        ("/genres", "uniqueItems", "no duplicate items at /genres"),
        ("", "not", "forbidden values"),
        ("/a", "newKeyword", "newKeyword at /a"),
    ],
)
def test_unenforced_label_describes_the_keyword(pointer: str, keyword: str, label: str) -> None:
    rule = Unenforced(pointer=pointer, keyword=keyword)
    assert result_text.unenforced_label(rule) == label


def too_large_error(tokens: Any, code: str = "schema_too_large") -> ApiError:
    return ApiError("Too long.", code=code, details={"pointer": "", "max_tokens": tokens})


def test_schema_error_says_how_many_tokens_are_needed() -> None:
    assert result_text.needed_tokens(too_large_error(610)) == 610
    assert result_text.needed_tokens(too_large_error(610, "schema_invalid")) is None
    assert result_text.needed_tokens(ApiError("Too large.", code="schema_too_large")) is None


@pytest.mark.parametrize(
    "tokens", [0, -1, True, 610.0, "610", [610], {"x": 1}, None, 1_000_001, 10**400]
)
def test_implausible_token_count_is_ignored(tokens: Any) -> None:
    error = too_large_error(tokens)
    assert result_text.needed_tokens(error) is None
    assert "Edit the schema" in result_text.with_schema_location(error).next_step


def test_location_is_left_out_if_max_tokens_is_too_low() -> None:
    error = too_large_error(610)
    assert result_text.with_schema_location(error) is error


def test_schema_error_shows_its_location() -> None:
    error = ApiError("No.", code="schema_invalid", details={"pointer": "/properties/a"})
    located = result_text.with_schema_location(error)
    assert located.message == "No."
    assert located.next_step == (
        "Location in the schema: /properties/a. Edit the schema, then run again."
    )
    unreachable = ApiError("Can't reach the API.", "Start it.", code="api_unreachable")
    assert result_text.with_schema_location(unreachable) is unreachable
