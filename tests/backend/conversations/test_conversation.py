"""The tree of messages of a conversation."""

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.database.types import utc_now


def test_message_tree_is_validated() -> None:
    orphan = Message(role="user", parent="unknown")
    with pytest.raises(ValueError, match=r"messages\.0 has a parent"):
        Conversation(messages=[orphan])
    repeated = Message(role="user", created_at=utc_now())
    with pytest.raises(ValueError, match=r"messages\.1 has the id"):
        Conversation(messages=[repeated, repeated])
    with pytest.raises(ValueError, match="current is not"):
        Conversation(current="unknown")
    with pytest.raises(ValueError, match="sent_from is not"):
        Conversation(sent_from="unknown")
