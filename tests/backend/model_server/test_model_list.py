"""Lists of models in every form, down to none."""

import json
from typing import Any

import pytest

from backend.model_server.model_list import (
    MAX_ID_CHARACTERS,
    fingerprint,
    parse_model_list,
    server_owner,
)


def ids(raw: bytes) -> list[str] | None:
    models = parse_model_list(raw)
    return None if models is None else [model["id"] for model in models]


@pytest.mark.parametrize(
    "payload",
    [
        {"object": "list", "data": [{"id": "a"}, {"id": "b"}]},
        [{"id": "a"}, {"id": "b"}],
        ["a", "b"],
        {"data": ["a", {"id": "b"}]},
        {"models": [{"name": "a"}, {"model": "b", "name": "B"}]},
        {"data": None, "models": [{"id": "a"}, {"id": "b"}]},
        {"data": [{"id": "a"}, {"id": "b"}], "models": [{"name": "c"}]},
    ],
    ids=str,
)
def test_every_form_of_a_list_has_the_same_entries(payload: Any) -> None:
    assert ids(json.dumps(payload).encode()) == ["a", "b"]
    assert ids(b"\xef\xbb\xbf" + json.dumps(payload).encode()) == ["a", "b"]


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"null", b"{}", b"3", b'"a"', b"<html>hello</html>", b"[", b"\xff\xfe"),
        *(b'{"data": null}', b'{"data": {}}', b'{"data": "a"}', b'{"models": 3}'),
        *(b'[{"id": 5}, null, [], {}, ""]', b'{"data": [{"object": "model"}]}'),
        b"[" * 100_000,
    ],
    ids=lambda raw: raw[:30],
)
def test_payload_without_usable_entries_says_nothing(raw: bytes) -> None:
    assert ids(raw) is None


def test_empty_list_says_that_there_are_no_models() -> None:
    assert ids(b'{"data": []}') == ids(b"[]") == []


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 7, 1.5, True, [], [{"id": "x"}], {}, "", " ", "a\n", "\x00", "\u200b", "\ud800"),
        *({"id": None}, {"id": 7}, {"id": ""}, {"id": {"id": "x"}}, {"id": "a\x1b[31m"}),
        *({"id": "x" * (MAX_ID_CHARACTERS + 1)}, {"name": ["x"]}),
    ],
    ids=lambda entry: repr(entry)[:30],
)
def test_odd_entries_are_skipped(entry: Any) -> None:
    assert ids(json.dumps({"data": [entry, {"id": "good"}, entry]}).encode()) == ["good"]


def test_duplicates_are_listed_once_with_the_fields_of_the_first() -> None:
    raw = b'[{"id": "a", "owned_by": "first"}, "b", {"id": "a", "owned_by": "second"}, "b"]'
    assert parse_model_list(raw) == [{"id": "a", "owned_by": "first"}, {"id": "b"}]


def test_fingerprint_differs_only_with_what_is_served() -> None:
    entry = {"id": "a", "owned_by": "llamacpp", "created": 1, "meta": {"n_ctx": 512}}
    others: list[list[dict[str, Any]]] = [
        [],
        [entry | {"id": "b"}],
        [entry | {"owned_by": "vllm"}],
        [entry | {"meta": {"n_ctx": 1024}}],
        [entry, entry | {"id": "b"}],
    ]
    assert fingerprint([entry]) == fingerprint([entry | {"created": 2, "status": "loaded"}])
    stored = entry | {"owned_by": "docker"}  # pulled again, if it is newer
    assert fingerprint([stored]) != fingerprint([stored | {"created": 2}])
    two = [entry, entry | {"id": "b"}]
    assert fingerprint(two) == fingerprint(two[::-1])
    assert fingerprint([entry]) not in [fingerprint(other) for other in others]


@pytest.mark.parametrize(
    ("model_id", "owner", "expected"),
    [
        ("smollm2:latest", "library", "library"),
        ("hf.co/bartowski/SmolLM2-GGUF:Q4_K_M", "bartowski", "library"),
        ("mario/tiny:latest", "mario", "library"),
        ("docker/tiny:latest", "docker", "docker"),
        ("openai/gpt-oss-20b", "openai", "openai"),
        ("ai/smollm2:latest", "vllm", "vllm"),
        ("smollm2", None, ""),
    ],
)
def test_ollama_is_recognized_by_owners_that_are_in_the_ids(
    model_id: str, owner: object, expected: str
) -> None:
    assert server_owner({"id": model_id, "owned_by": owner}) == expected
