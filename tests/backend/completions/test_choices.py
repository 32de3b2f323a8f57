"""Answers of several requests made one."""

import json
from typing import Any

from backend.completions.choices import ChoiceMerger, split_request
from backend.model_server.sse import DONE


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_parts_are_as_large_as_they_may_be_and_their_seeds_differ() -> None:
    found = split_request({"n": 5, "seed": 2**32 - 1, "messages": []}, 2)
    assert [(first, part["n"], part["seed"]) for first, part in found] == [
        (0, 2, 2**32 - 1),
        (2, 2, 1),
        (4, 1, 3),
    ]


def test_what_fits_is_one_part_and_a_random_seed_stays_random() -> None:
    assert split_request({"messages": []}, 1) == [(0, {"messages": []})]
    assert [part["seed"] for _, part in split_request({"n": 2, "seed": -1}, 1)] == [-1, -1]


def test_whole_answers_add_up() -> None:
    joining = ChoiceMerger()
    for first in (0, 2):
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        joining.add({"choices": [{"index": 0}], "usage": usage}, first)
    assert [choice["index"] for choice in joining.merged["choices"]] == [0, 2]
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    assert joining.merged["usage"] == usage


def test_tokens_are_not_told_where_a_part_counted_one_of_its_choices() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    joining = ChoiceMerger()
    joining.add({"choices": [{"index": 0}, {"index": 1}], "usage": usage}, 0)
    joining.add({"choices": [{"index": 0}], "usage": usage}, 2)
    assert "usage" not in joining.merged
    joining.reindex(event(choices=[{"index": 1, "delta": {}}]), 0)
    joining.reindex(event(choices=[], usage=usage), 0)
    assert joining.finish() == DONE


def test_streams_are_counted_on_and_end_once_wherever_they_are_cut() -> None:
    joining = ChoiceMerger()
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    written = b""
    for first in (0, 1):
        whole = event(choices=[{"index": 0, "delta": {}}]) + event(choices=[], usage=usage)
        for line in (whole + DONE).splitlines(keepends=True):
            written += joining.reindex(line, first)
    written += joining.finish()
    events = [part.removeprefix(b"data: ") for part in written.split(b"\n\n")][:-1]
    told = [json.loads(part) for part in events[:-1]]
    assert [c["index"] for part in told for c in part["choices"]] == [0, 1]
    assert [part["usage"]["completion_tokens"] for part in told if "usage" in part] == [6]
    assert events[-1] == b"[DONE]"


def test_what_is_no_choice_or_no_number_breaks_nothing() -> None:
    joining = ChoiceMerger()
    joining.add({"choices": [7, {"index": "x"}], "usage": {"completion_tokens": "many"}}, 0)
    joining.add({"choices": [None], "usage": []}, 2)
    assert joining.merged["choices"] == [7, {"index": "x"}, None]
    assert joining.reindex(b"data: {half\n\ndata: [1]\n\n", 0) == b""
    for choices in (7, True, "x", {"a": 1}, None):
        usage = {"completion_tokens": 10**400}
        assert joining.reindex(event(choices=choices, usage=usage), 0) == b""
    assert joining.finish() == DONE
