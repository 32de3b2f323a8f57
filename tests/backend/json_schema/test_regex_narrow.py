"""A pattern that is carried lets through only what the original does, in words a grammar has."""

import random
import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.json_schema.formats import FORMATS
from backend.json_schema.regex_narrow import UnsupportedPatternError, example_match, narrow_pattern
from tests.support.schema_instances import instance

PLAIN = re.compile(r"\^([^\\\"]|\\[\^$.\[\]()|{}*+?])*\$")


@pytest.mark.parametrize(
    ("pattern", "shortest", "longest", "narrower"),
    [
        (r"^[A-Z]{3}-\d{4}$", 0, 40, "^[A-Z]{3}-[0-9]{4}$"),
        (r"^\w+$", 0, 12, "^[0-9A-Z_a-z]{1,12}$"),
        (r"^\w+$", 5, 12, "^[0-9A-Z_a-z]{5,12}$"),
        (r"^(foo|bar)$|^baz$", 0, 9, "^((foo|bar)|baz)$"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}", 0, 40, "^[0-9a-f]{8}-[0-9a-f]{4}$"),
        (r"^(([0-9]|[a-f]){2}){0,32}$", 0, 20, "^(([0-9]|[a-f]){2}){0,10}$"),
        (r"^[\[\]^-]+$", 0, 3, r"^[\[\]^-]{1,3}$"),
        (r"^$", 0, 9, "^$"),
    ],
)
def test_a_pattern_is_anchored_bounded_and_spelled_out(
    pattern: str, shortest: int, longest: int, narrower: str
) -> None:
    assert narrow_pattern(pattern, shortest, longest)[0] == narrower


@pytest.mark.parametrize(
    "pattern", [r"^(?!a)b$", r"^\p{L}$", r"^(a)\1$", r"a\b", r"^a$b", "^[a", "^(a", "*"]
)
def test_what_cannot_be_carried_is_said(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        narrow_pattern(pattern, 0, 40)


def test_no_text_of_a_fitting_length_is_said() -> None:
    with pytest.raises(UnsupportedPatternError):
        narrow_pattern("^[a-f]{24}$", 0, 20)


def test_an_example_fits() -> None:
    assert re.search(r"^x-\w+$", example_match(r"^x-\w+$", 6))


@pytest.mark.parametrize("name", FORMATS)
def test_every_value_of_a_format_s_pattern_has_the_format(name: str) -> None:
    narrower, longest = narrow_pattern(f"^({FORMATS[name]})$", 0, 256)
    chance = random.Random(1)
    for _ in range(300):
        drawn = instance({"type": "string", "pattern": narrower}, chance)
        assert len(drawn) <= longest
        assert jsonschema_rs.is_valid({"format": name}, drawn, validate_formats=True), drawn


pieces = st.sampled_from(
    [
        "a",
        "[a-c]",
        r"\d",
        r"\w",
        ".",
        "[^a]",
        r"\.",
        "-",
        "/",
        r"\/",
        "é",
        "#",
        " ",
        "[]]",
        r"[\w.-]",
    ]
)
ends = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{0,}", "+?"])
patterns = st.recursive(
    st.builds(lambda piece, end: piece + end, pieces, ends),
    lambda inner: st.one_of(
        st.builds("".join, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda found, end: f"({'|'.join(found)}){end}",
            st.lists(inner, min_size=1, max_size=3),
            ends,
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    patterns, st.sampled_from(["{}", "^{}", "{}$", "^{}$"]), st.integers(0, 5), st.integers(5, 30)
)
def test_every_text_of_a_narrower_pattern_fits_the_original(
    pattern: str, frame: str, shortest: int, longest: int
) -> None:
    original = {
        "pattern": frame.format(f"({pattern})"),
        "minLength": shortest,
        "maxLength": longest,
    }
    try:
        narrower, most = narrow_pattern(original["pattern"], shortest, longest)
    except UnsupportedPatternError:
        return
    assert PLAIN.fullmatch(narrower)
    chance = random.Random(1)
    for _ in range(20):
        drawn = instance({"type": "string", "pattern": narrower}, chance)
        assert len(drawn) <= most
        assert jsonschema_rs.is_valid(original, drawn), (original, narrower, drawn)
