"""Branches, siblings and leaves of a conversation."""

from datetime import timedelta
from typing import Any

import pytest

from api.conversation import Conversation
from tests.support.messages import NOW, message


def tree(current: str | None = "a2") -> Conversation:
    """Return two root questions; the second has two answers, the first of which continues."""
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
    ("current", "branch"),
    [
        ("a2", ["q2", "a2"]),
        ("a3", ["q2", "a1", "q3", "a3"]),
        ("q1", ["q1"]),
        (None, []),
        ("gone", []),
    ],
)
def test_active_branch_leads_from_the_root_to_the_current_message(
    current: str | None, branch: list[str]
) -> None:
    assert [message.id for message in tree(current).active_branch()] == branch


def test_siblings_share_parent_and_role() -> None:
    conversation = tree()
    siblings = {
        message.id: [sibling.id for sibling in conversation.siblings(message)]
        for message in conversation.messages
    }
    assert siblings["q1"] == siblings["q2"] == ["q1", "q2"]
    assert siblings["a1"] == siblings["a2"] == ["a1", "a2"]
    assert siblings["q3"] == ["q3"]


def test_version_that_was_edited_in_place_follows_its_former_text() -> None:
    conversation = tree()
    a1 = conversation.messages[2]
    former = a1.model_copy(update={"id": "former"})
    conversation.messages.append(former)
    conversation.messages[3].created_at = NOW + timedelta(seconds=1)
    a1.edited_at = NOW + timedelta(seconds=2)
    assert [version.id for version in conversation.siblings(a1)] == ["former", "a2", "a1"]
    assert conversation.latest_leaf(conversation.messages[1]) == "a3"


def test_latest_leaf_follows_the_newest_children() -> None:
    conversation = tree()
    leaves = {message.id: conversation.latest_leaf(message) for message in conversation.messages}
    assert leaves == {"q1": "q1", "q2": "a2", "a1": "a3", "a2": "a2", "q3": "a3", "a3": "a3"}


@pytest.mark.parametrize(
    ("fields", "is_incomplete"),
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
def test_answer_that_was_cut_off_is_incomplete(
    fields: dict[str, Any], *, is_incomplete: bool
) -> None:
    answer = message("a", None, **({"role": "assistant"} | fields))
    assert answer.is_incomplete == is_incomplete


@pytest.mark.parametrize(
    ("logprobs", "count"),
    [
        ([{"token": "a", "logprob": -(10**400)}, 5, None, "x"], 4),
        (5, None),
        ({"content": []}, None),
    ],
)
def test_malformed_token_probabilities_do_not_cost_the_message(
    logprobs: Any, count: int | None
) -> None:
    answer = message("a", None, role="assistant", content="Hi", logprobs=logprobs)
    assert answer.content == "Hi"
    assert count == (None if answer.logprobs is None else len(answer.logprobs))
