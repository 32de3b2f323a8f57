"""JSON is found in code fences and prose, and never cut out of other JSON."""

import pytest

from backend.json_schema.json_in_text import json_candidates, parse_partial_in_text
from backend.json_schema.validator import ABSENT


@pytest.mark.parametrize(
    ("text", "candidate"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('```JSON\n{"a": 1}\n```', '{"a": 1}'),
        ('```\n{"a": 1}```', '{"a": 1}'),
        ('```{"a": 1}```', '{"a": 1}'),
        ('~~~json\n{"a": 1}\n~~~', '{"a": 1}'),
        ('Here it is:\n```json\n{"a": 1}\n```\nI hope it helps.', '{"a": 1}'),
        ('```json\n{"a": 1}\n```\nAnd shorter:\n```json\n{}\n```', '{"a": 1}'),
        ("```json\n42\n```", "42"),
        ('Sure! {"a": 1} is it.', '{"a": 1}'),
        ('The array: ["a", 1].', '["a", 1]'),
        ('As [1] says, {"a": [1, {"b": "}"}]}.', '{"a": [1, {"b": "}"}]}'),
        ('[See [the docs](https://example.com)] {"a": 1}', '{"a": 1}'),
        ('Use {x} in [0, 1): {"a": 1}', '{"a": 1}'),
        ('{"a": "say \\"}\\" now"} done', '{"a": "say \\"}\\" now"}'),
        ('First {"a": 1}, better {"a": 2}.', '{"a": 2}'),
        ('{"a": 1}\n{"a": 2}', '{"a": 2}'),
        ('{"a": "```"} is it', '{"a": "```"}'),
        ('```json\n{"a": "```py"}\n``` is it', '{"a": "```py"}'),
    ],
)
def test_json_is_found_in_fences_and_prose(text: str, candidate: str) -> None:
    assert json_candidates(text)[0] == candidate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No JSON here.",
        "Use [brackets] and {braces}.",
        '{"a": {"b": 1}, "c": "cut',
        '{"a": {"b": 1}, "c": ',
        'Sure: {"a": {"b": 1}, bad}',
        "Sure: {'a': {\"b\": 1}}",
        '[{"a": 1}, {"a": 2}',
    ],
)
def test_nothing_is_cut_out_of_unfinished_or_invalid_json(text: str) -> None:
    assert json_candidates(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "[" * 90_000,
        '{"' + '\\"' * 45_000,
        "[a" * 45_000,
        "```" * 30_000,
        '{"a"]' * 18_000,
        "[" * 9**7,
    ],
)
def test_hostile_text_takes_little_time(text: str) -> None:
    json_candidates(text)
    parse_partial_in_text(text)


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        ("Sure", ABSENT),
        ("Sure! {", ABSENT),
        ('Sure! {"a": 1, "b', {"a": 1}),
        ('Sure:\n```json\n{"a": "x", "b": "y', {"a": "x"}),
        ('Sure:\n```json\n{"a": "x"}\n```\nBye', {"a": "x"}),
        ('As [said]: {"a": [1, 2', {"a": [1]}),
        ('{"a": 1, ', {"a": 1}),
        ("", ABSENT),
    ],
)
def test_certain_part_is_parsed_amid_prose(text: str, partial: object) -> None:
    assert parse_partial_in_text(text) == partial
