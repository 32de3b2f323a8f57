"""The tree of a conversation, as the page reads it."""

from typing import Any

import pytest

from api.conversation import Conversation
from tests.support.messages import NOW, message


def tree(current: str | None = "a2") -> Conversation:
    """Two first questions; the second one has two answers, and the first of them goes on."""
    messages = [
        message("q1", None),
        message("q2", None),
        message("a1", "q2", role="assistant"),
        message("a2", "q2", role="assistant"),
        message("q3", "a1"),
        message("a3", "q3", role="assistant"),
    ]
    return Conversation(id="c", title="", updated_at=NOW, current=current, messages=messages)


@pytest.mark.parametrize(
    ("current", "thread"),
    [
        ("a2", ["q2", "a2"]),
        ("a3", ["q2", "a1", "q3", "a3"]),
        ("q1", ["q1"]),
        (None, []),
        ("gone", []),
    ],
)
def test_a_thread_leads_from_the_first_message_to_where_it_was_left(
    current: str | None, thread: list[str]
) -> None:
    assert [said.id for said in tree(current).active_branch()] == thread


def test_siblings_are_what_was_said_in_the_same_place() -> None:
    found = tree()
    siblings = {said.id: [other.id for other in found.siblings(said)] for said in found.messages}
    assert siblings["q1"] == siblings["q2"] == ["q1", "q2"]
    assert siblings["a1"] == siblings["a2"] == ["a1", "a2"]
    assert siblings["q3"] == ["q3"]


def test_a_thread_goes_on_by_the_newest() -> None:
    found = tree()
    ends = {said.id: found.latest_leaf(said) for said in found.messages}
    assert ends == {"q1": "q1", "q2": "a2", "a1": "a3", "a2": "a2", "q3": "a3", "a3": "a3"}


@pytest.mark.parametrize(
    ("fields", "is_cut"),
    [
        ({"state": "finished", "receipt": {"finish_reason": "stop"}}, False),
        ({"state": "finished", "receipt": {"finish_reason": "length"}}, True),
        ({"state": "finished", "receipt": 7}, False),
        ({"state": "stopped"}, True),
        ({"state": "interrupted"}, True),
        ({"state": "stopped", "content": ""}, False),
        ({"role": "user", "state": None}, False),
    ],
)
def test_an_answer_that_was_cut_can_go_on(fields: dict[str, Any], *, is_cut: bool) -> None:
    assert message("a", None, **({"role": "assistant"} | fields)).is_incomplete == is_cut
