"""The tree of an imported chat, whatever its references say."""

import time
from datetime import UTC, datetime

import pytest

from backend.conversations.formats.message_tree import ImportedMessage, MessageTree


def message(
    parent: str | None, *children: str, second: int = 0, is_hidden: bool = False
) -> ImportedMessage:
    return ImportedMessage(
        parent=parent,
        children=list(children),
        created_at=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC),
        is_hidden=is_hidden,
    )


def edges(messages: dict[str, ImportedMessage]) -> list[str]:
    """Return each message in order, after its parent."""
    return [f"{parent or ''}>{key}" for key, parent, _ in MessageTree(messages).walk()]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        # In any order, with all branches.
        ({"b": message("a"), "a": message(None), "c": message("a")}, [">a", "a>b", "a>c"]),
        # Versions are in the order of the list, and by time if they are not listed.
        ({"a": message(None, "c", "b"), "b": message("a"), "c": message("a")},
         [">a", "a>c", "a>b"]),
        ({"a": message(None), "b": message("a", second=9), "c": message("a")},
         [">a", "a>c", "a>b"]),
        ({"a": message(None, "c"), "b": message("a"), "c": message("a")}, [">a", "a>c", "a>b"]),
        # Several first messages, and one whose parent is missing.
        ({"a": message(None, second=2), "b": message(None), "c": message("a")},
         [">b", ">a", "a>c"]),
        ({"a": message("gone"), "b": message("a")}, [">a", "a>b"]),
        # The parent counts; lists of children help only if there is none.
        ({"a": message(None), "b": message("a"), "c": message(None, "b")}, [">a", "a>b", ">c"]),
        ({"a": message(None, "b"), "b": message(None)}, [">a", "a>b"]),
        ({"a": message(None, "b", "gone"), "b": message("gone too")}, [">a", "a>b"]),
        # Circles are opened at their oldest message.
        ({"a": message("a")}, [">a"]),
        ({"a": message("c", second=2), "b": message("a", second=1), "c": message("b", second=3)},
         [">b", "b>c", "c>a"]),
        ({"a": message(None, "b"), "b": message(None, "a", second=1)}, [">a", "a>b"]),
        ({"x": message("a"), "a": message("b"), "b": message("a", second=1)},
         [">a", "a>x", "a>b"]),
        # Replies to hidden messages move up.
        ({"r": message(None, is_hidden=True), "a": message("r"), "h": message("a", is_hidden=True),
          "b": message("h")}, [">a", "a>b"]),
        ({}, []),
    ],
)  # fmt: skip
def test_each_message_follows_its_parent(
    messages: dict[str, ImportedMessage], expected: list[str]
) -> None:
    assert edges(messages) == expected


@pytest.mark.parametrize(
    ("key", "leaf"),
    [("a", "c"), ("b", "b"), ("c", "c"), ("r", "c"), ("h", "c"), ("gone", None), (None, None)],
)
def test_latest_leaf_is_the_end_of_the_newest_branch(key: str | None, leaf: str | None) -> None:
    messages = {
        "r": message(None, is_hidden=True),
        "a": message("r", "b", "c"),
        "b": message("a"),
        "c": message("a"),
        "h": message("c", is_hidden=True),
    }
    assert MessageTree(messages).latest_leaf(key) == leaf


def test_reasoning_of_hidden_messages_goes_to_the_next_one() -> None:
    messages = {key: message(None if key == "a" else "a") for key in "ab"}
    messages["b"] = ImportedMessage(parent="a", reasoning="First", is_hidden=True)
    messages["c"] = ImportedMessage(parent="b", reasoning="Then", is_hidden=True)
    messages["d"] = ImportedMessage(parent="c")
    messages["e"] = ImportedMessage(parent="d")
    messages["f"] = ImportedMessage(parent="c")
    walked = {key: reasoning for key, _, reasoning in MessageTree(messages).walk()}
    assert walked == {"a": "", "d": "First\n\nThen", "e": "", "f": ""}


def test_long_chain_has_no_limit() -> None:
    messages = {str(n): message(str(n - 1) if n else None) for n in range(50_000)}
    assert len(edges(messages)) == 50_000


def test_much_reasoning_is_joined_in_linear_time() -> None:
    hidden = {
        str(n): ImportedMessage(parent=str(n - 1), reasoning="x" * 500, is_hidden=True)
        for n in range(20_000)
    }
    answers = {f"a{n}": ImportedMessage(parent="19999") for n in range(20_000)}
    started_at = time.monotonic()
    lengths = [len(reasoning) for *_, reasoning in MessageTree(hidden | answers).walk()]
    assert (max(lengths), sum(lengths)) == (20_000 * 502 - 2, 20_000 * 502 - 2)
    assert time.monotonic() - started_at < 5
