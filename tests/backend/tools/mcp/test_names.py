"""Names of tools are valid for every model server, unique and stable."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tools.mcp.names import tool_name

NAMES = st.text(min_size=1, max_size=80) | st.text("ab_-.", min_size=1, max_size=40)


def test_plain_name_is_the_server_and_the_tool() -> None:
    assert tool_name("github", "create_issue") == "github__create_issue"


@pytest.mark.parametrize(
    ("server", "tool"),
    [("my server", "a.b"), ("", ""), ("é" * 99, "x" * 99), ("a__b", "c"), ("a", "\n")],
)
def test_odd_name_is_made_valid(server: str, tool: str) -> None:
    name = tool_name(server, tool)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert name == tool_name(server, tool)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a", "b.c"), ("a", "b_c")),
        (("a__b", "c"), ("a", "b__c")),
        (("a_", "b"), ("a", "_b")),
        (("a", "x" * 80), ("a", "x" * 81)),
        (("a b", "c"), ("a_b", "c")),
    ],
)
def test_similar_names_differ(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert tool_name(*first) != tool_name(*second)


@given(NAMES, NAMES, NAMES, NAMES)
def test_every_name_is_valid_and_different_ones_differ(
    server: str, tool: str, other_server: str, other_tool: str
) -> None:
    name, other = tool_name(server, tool), tool_name(other_server, other_tool)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert (name == other) == ((server, tool) == (other_server, other_tool))
