import json
from typing import Any

from backend.completions.choices import ChoiceMerger, split_request
from backend.model_server.answers.sse import DONE
from tests.support.sse import parse_chunks


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_split_requests_are_as_large_as_allowed_with_distinct_seeds() -> None:
    batches = split_request({"n": 5, "seed": 2**32 - 1, "messages": []}, 2)
    assert [(first, body["n"], body["seed"]) for first, body in batches] == [
        (0, 2, 2**32 - 1),
        (2, 2, 2**32 + 1),
        (4, 1, 2**32 + 3),
    ]


def test_small_request_is_not_split_and_a_random_seed_stays_random() -> None:
    assert split_request({"messages": []}, 1) == [(0, {"messages": []})]
    assert [body["seed"] for _, body in split_request({"n": 2, "seed": -1}, 1)] == [-1, -1]


def test_merged_completions_have_all_choices_and_the_total_usage() -> None:
    merger = ChoiceMerger()
    for first in (0, 2):
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        merger.add({"choices": [{"index": 0}], "usage": usage}, first)
    assert [choice["index"] for choice in merger.merged["choices"]] == [0, 2]
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    assert merger.merged["usage"] == usage


def test_usage_is_omitted_if_a_batch_counted_only_one_of_its_choices() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    merger = ChoiceMerger()
    merger.add({"choices": [{"index": 0}, {"index": 1}], "usage": usage}, 0)
    merger.add({"choices": [{"index": 0}], "usage": usage}, 2)
    assert "usage" not in merger.merged
    merger.reindex(event(choices=[{"index": 1, "delta": {}}]), 0)
    merger.reindex(event(choices=[], usage=usage), 0)
    assert merger.finish() == DONE


def test_merged_streams_are_reindexed_and_end_once_for_any_chunk_boundary() -> None:
    merger = ChoiceMerger()
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    output = b""
    for first in (0, 1):
        stream = event(choices=[{"index": 0, "delta": {}}]) + event(choices=[], usage=usage)
        for line in (stream + DONE).splitlines(keepends=True):
            output += merger.reindex(line, first)
    output += merger.finish()
    chunks = parse_chunks(output.decode())
    assert [choice["index"] for chunk in chunks for choice in chunk["choices"]] == [0, 1]
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if "usage" in chunk] == [6]


def test_malformed_choices_and_counts_do_not_break_the_merger() -> None:
    merger = ChoiceMerger()
    merger.add({"choices": [7, {"index": "x"}], "usage": {"completion_tokens": "many"}}, 0)
    merger.add({"choices": [None], "usage": []}, 2)
    assert merger.merged["choices"] == [7, {"index": "x"}, None]
    assert merger.reindex(b"data: {half\n\ndata: [1]\n\n", 0) == b""
    for choices in (7, True, "x", {"a": 1}, None):
        usage = {"completion_tokens": 10**400}
        assert merger.reindex(event(choices=choices, usage=usage), 0) == b""
    assert merger.finish() == DONE
