"""A stored conversation: a tree of messages with one active branch."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.chat_chunk import FileCitation, Lenient, Receipt, Retrieval, Step, ToolCall

NO_TITLE = "New chat"  # until its first message is stored


class Message(BaseModel):
    """A message of the tree. Alternative versions share a parent."""

    id: str
    parent: str | None = None
    role: str
    content: str = ""
    parts: list[dict[str, Any]] | None = None
    reasoning: str | None = None
    tool_calls: Annotated[list[ToolCall] | None, Lenient] = None
    tool_call_id: str | None = None
    step: Annotated[Step | None, Lenient] = None
    logprobs: Annotated[list[Any] | None, Lenient] = None
    annotations: Annotated[list[FileCitation] | None, Lenient] = None
    retrieval: Annotated[Retrieval | None, Lenient] = None
    model: str | None = None
    parameters: dict[str, Any] | None = None
    state: Literal["writing", "finished", "stopped", "failed", "interrupted"] | None = None
    receipt: Annotated[Receipt | None, Lenient] = None
    error: dict[str, Any] | None = None
    created_at: datetime
    edited_at: datetime | None = None

    @property
    def version_time(self) -> datetime:
        """When its text was written. The former text of one edited in place is a sibling."""
        return self.edited_at or self.created_at

    def continues(self, parent: "Message") -> bool:
        """Return True if this message and its parent are parts of one answer.

        It is the result of a call, or what the model wrote after one.
        """
        if self.role == "tool":
            return parent.role == "tool" or bool(parent.tool_calls)
        return self.role == "assistant" and parent.role == "tool"

    @property
    def finish_reason(self) -> str | None:
        return self.receipt.finish_reason if self.receipt else None

    @property
    def is_incomplete(self) -> bool:
        """Return True if the model can continue the message."""
        is_unfinished = self.state != "finished" or self.finish_reason == "length"
        return self.role == "assistant" and bool(self.content) and is_unfinished


class ConversationSummary(BaseModel):
    """A conversation as listed, without its messages."""

    id: str
    title: str
    updated_at: datetime
    pinned: bool = False
    folder: str | None = None
    # The text around the first hit of a search.
    snippet: Annotated[str | None, Lenient] = None


class ConversationPage(BaseModel):
    data: list[ConversationSummary]
    has_more: bool = False


class Conversation(ConversationSummary):
    """A conversation with all its messages, parents first."""

    model: str | None = None
    system_prompt: str | None = None
    parameters: dict[str, Any] | None = None
    current: str | None = None
    sent_from: str | None = None
    messages: list[Message] = Field(default_factory=list)

    def active_branch(self) -> list[Message]:
        """Return the messages from the root to the current one."""
        return self.branch_to(self.current)

    def branch_to(self, leaf: str | None) -> list[Message]:
        """Return the messages from the root to `leaf`, or none if there is no such message."""
        by_id = {message.id: message for message in self.messages}
        branch, message_id = list[Message](), leaf
        while message_id is not None and message_id in by_id:
            branch.append(by_id[message_id])
            message_id = by_id[message_id].parent
        return branch[::-1]

    def messages_in_context(self, branch: list[Message]) -> list[Message]:
        """Return the part of `branch` that is sent to the model.

        Compares parents: the branch may hold another version of the `sent_from` message.
        """
        parent = next((item.parent for item in self.messages if item.id == self.sent_from), None)
        indexes = [index for index, message in enumerate(branch) if message.id == parent]
        return branch[indexes[0] + 1 :] if indexes else branch

    def siblings(self, message: Message) -> list[Message]:
        """Return all versions of a message, including itself, oldest first."""
        return _sort_versions(
            sibling
            for sibling in self.messages
            if sibling.parent == message.parent and sibling.role == message.role
        )

    def parent_question(self, answer: Message) -> str | None:
        """Return the id of the user message above an answer and the steps before it.

        An imported answer may have none.
        """
        parent = self._parent(message := answer)
        while parent and message.continues(parent):
            message, parent = parent, self._parent(parent)
        return parent.id if parent and parent.role == "user" else None

    def _parent(self, message: Message) -> Message | None:
        return next((other for other in self.messages if other.id == message.parent), None)

    def latest_leaf(self, message: Message) -> str:
        """Follow the newest child from `message` down to a leaf."""
        leaf = message.id
        for candidate in self.messages:  # parents come first, and the newest sibling last
            if candidate.parent == leaf:
                leaf = self._latest_child(leaf)
        return leaf

    def _latest_child(self, parent: str) -> str:
        return _sort_versions(m for m in self.messages if m.parent == parent)[-1].id


def _sort_versions(versions: Iterable[Message]) -> list[Message]:
    """Return versions of a message, oldest first. They are stored so unless one was edited."""
    in_order = list(versions)
    if any(version.edited_at for version in in_order):
        in_order.sort(key=lambda version: version.version_time)
    return in_order
