"""What became of an answer, in words."""

from typing import Any

import pytest

from api.chat_chunk import Usage
from api.errors import ApiError
from api.structured_response import (
    Attempt,
    Progress,
    StructuredResponse,
    Unenforced,
    ValidationIssue,
)
from structured import result_text as words
from structured.stream_job import StructuredRun
from structured.target_schema import TargetSchema

USAGE = Usage(prompt_tokens=1069, completion_tokens=53)


def run(**known: Any) -> StructuredRun:
    return StructuredRun(**({"form": TargetSchema({}, registered_name="recipe")} | known))


@pytest.mark.parametrize(
    ("progress", "attempt", "said"),
    [
        (None, 1, "Waiting for the model …"),
        (Progress(phase="waiting", position=2), 1, "Waiting in line, place 2 …"),
        (Progress(phase="loading"), 1, "The model is loading …"),
        (Progress(phase="reading", fraction=0.4), 1, "The model reads the question, 40% …"),
        (Progress(phase="writing", fraction=0.4), 2, "The model writes, attempt 2 …"),
        (Progress(phase="thinking"), 1, "Waiting for the model …"),
    ],
)
def test_what_goes_on_is_told(progress: Progress | None, attempt: int, said: str) -> None:
    assert words.progress_label(run(progress=progress, attempt=attempt)) == said


def test_only_what_was_measured_is_told_as_the_cost() -> None:
    assert words.summary_line(run(), []) == "recipe"
    reply = StructuredResponse.model_validate(
        {"answers": [{"parsed": 1, "text": "1"}], "usage": USAGE.model_dump()}
    )
    told = words.summary_line(run(reply=reply, seconds=0.84, form=TargetSchema({})), [Attempt()])
    assert told == "your schema · 1 attempt · 0.84 s · 1,069 in · 53 out"
    assert words.summary_line(run(), [Attempt(), Attempt()]) == "recipe · 2 attempts"


def test_an_attempt_is_a_line_of_a_table() -> None:
    faults = [
        ValidationIssue(pointer="/a", keyword="maxLength"),
        ValidationIssue(keyword="required"),
    ]
    cut = Attempt(finish_reason="length", errors=faults, level=0, usage=USAGE, ms=1234)
    assert list(words.attempt_row(1, cut).values()) == [
        "1", "cut off", "level 0", "maxLength at /a and 1 more", "53", "1.23",
    ]  # fmt: skip
    assert list(words.attempt_row(2, Attempt()).values()) == [
        "2", "unknown", "unknown", "none", "unknown", "unknown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "keyword", "said"),
    [
        ("/genres", "uniqueItems", "that a list holds nothing twice, at /genres"),
        ("", "not", "what it must not be"),
        ("/a", "newKeyword", "the keyword newKeyword, at /a"),
    ],
)
def test_what_no_grammar_holds_is_told_in_plain_words(
    pointer: str, keyword: str, said: str
) -> None:
    assert words.unenforced_label(Unenforced(pointer=pointer, keyword=keyword)) == said


def test_an_error_of_a_schema_is_told_with_its_place() -> None:
    error = ApiError("No.", code="schema_invalid", details={"pointer": "/properties/a"})
    told = words.with_schema_location(error)
    assert told.message == "No."
    assert told.next_step == (
        "The place in the schema: /properties/a. Change it there, then run again."
    )
    other = ApiError("Nothing answers.", "Start it.", code="api_unreachable")
    assert words.with_schema_location(other) is other
