"""A narrowed pattern matches a subset of the original, in syntax that a grammar supports."""

import random
import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.json_schema.formats import FORMATS
from backend.json_schema.regex_narrow import UnsupportedPatternError, example_match, narrow_pattern
from benchmarks.schema_instances import random_instance

SUPPORTED_SYNTAX = re.compile(r"\^([^\\\"]|\\[\^$.\[\]()|{}*+?])*\$")


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
def test_narrowed_pattern_is_anchored_bounded_and_spelled_out(
    pattern: str, shortest: int, longest: int, narrower: str
) -> None:
    assert narrow_pattern(pattern, shortest, longest)[0] == narrower


@pytest.mark.parametrize(
    "pattern", [r"^(?!a)b$", r"^\p{L}$", r"^(a)\1$", r"a\b", r"^a$b", "^[a", "^(a", "*"]
)
def test_unsupported_pattern_raises(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        narrow_pattern(pattern, 0, 40)


def test_pattern_without_a_match_of_valid_length_raises() -> None:
    with pytest.raises(UnsupportedPatternError):
        narrow_pattern("^[a-f]{24}$", 0, 20)


def test_example_matches_its_pattern() -> None:
    assert re.search(r"^x-\w+$", example_match(r"^x-\w+$", 6))


@pytest.mark.parametrize("name", FORMATS)
def test_matches_of_a_format_pattern_have_the_format(name: str) -> None:
    narrower, longest = narrow_pattern(f"^({FORMATS[name]})$", 0, 256)
    rng = random.Random(1)
    for _ in range(300):
        text = random_instance({"type": "string", "pattern": narrower}, rng)
        assert len(text) <= longest
        assert jsonschema_rs.is_valid({"format": name}, text, validate_formats=True), text


atoms = st.sampled_from(
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
quantifiers = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{0,}", "+?"])
patterns = st.recursive(
    st.builds(lambda atom, quantifier: atom + quantifier, atoms, quantifiers),
    lambda inner: st.one_of(
        st.builds("".join, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda options, quantifier: f"({'|'.join(options)}){quantifier}",
            st.lists(inner, min_size=1, max_size=3),
            quantifiers,
        ),
    ),
    max_leaves=6,
)


@settings(derandomize=True)
@given(
    patterns, st.sampled_from(["{}", "^{}", "{}$", "^{}$"]), st.integers(0, 5), st.integers(5, 30)
)
def test_matches_of_a_narrowed_pattern_match_the_original(
    pattern: str, template: str, shortest: int, longest: int
) -> None:
    original = {
        "pattern": template.format(f"({pattern})"),
        "minLength": shortest,
        "maxLength": longest,
    }
    try:
        narrower, max_length = narrow_pattern(original["pattern"], shortest, longest)
    except UnsupportedPatternError:
        return
    assert SUPPORTED_SYNTAX.fullmatch(narrower)
    rng = random.Random(1)
    for _ in range(20):
        text = random_instance({"type": "string", "pattern": narrower}, rng)
        assert len(text) <= max_length
        assert jsonschema_rs.is_valid(original, text), (original, narrower, text)
