"""A conversation as the API keeps it: a tree of messages, of which one thread is read."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.chat_chunk import Lenient, Receipt

NO_TITLE = "New chat"  # until its first question is kept


class Message(BaseModel):
    """What was said once; what was said instead of it has the same parent."""

    id: str
    parent: str | None = None
    role: str
    content: str = ""
    parts: list[dict[str, Any]] | None = None
    reasoning: str | None = None
    logprobs: list[dict[str, Any]] | None = None
    model: str | None = None
    parameters: dict[str, Any] | None = None
    state: Literal["writing", "finished", "stopped", "failed", "interrupted"] | None = None
    receipt: Annotated[Receipt | None, Lenient] = None
    error: dict[str, Any] | None = None
    created_at: datetime

    @property
    def finish_reason(self) -> str | None:
        return self.receipt.finish_reason if self.receipt else None

    @property
    def is_incomplete(self) -> bool:
        """Whether the model could go on with it."""
        is_unfinished = self.state != "finished" or self.finish_reason == "length"
        return self.role == "assistant" and bool(self.content) and is_unfinished


class ConversationSummary(BaseModel):
    """What a list tells of a conversation."""

    id: str
    title: str
    updated_at: datetime


class ConversationPage(BaseModel):
    data: list[ConversationSummary]
    has_more: bool = False


class Conversation(ConversationSummary):
    """A whole one, a message always after its parent."""

    model: str | None = None
    system_prompt: str | None = None
    parameters: dict[str, Any] | None = None
    current: str | None = None
    sent_from: str | None = None
    messages: list[Message] = Field(default_factory=list)

    def active_branch(self) -> list[Message]:
        """Give what is read, from the first message to the one that was left at."""
        return self.branch_to(self.current)

    def branch_to(self, end: str | None) -> list[Message]:
        """Give what leads from the first message to this one; nothing, where it is not there."""
        known = {message.id: message for message in self.messages}
        found, at = list[Message](), end
        while at is not None and at in known:
            found.append(known[at])
            at = known[at].parent
        return found[::-1]

    def messages_in_context(self, thread: list[Message]) -> list[Message]:
        """Give what of a thread is sent to the model: all of it, unless the oldest is left out.

        Its first message may be another version of the one that it was left out to.
        """
        above = next((said.parent for said in self.messages if said.id == self.sent_from), None)
        places = [place for place, message in enumerate(thread) if message.id == above]
        return thread[places[0] + 1 :] if places else thread

    def siblings(self, message: Message) -> list[Message]:
        """Give what was said in the same place, itself included, oldest first."""
        return [
            other
            for other in self.messages
            if other.parent == message.parent and other.role == message.role
        ]

    def parent_question(self, answer: Message) -> str | None:
        """Give the question that can be asked again; what is imported may answer none."""
        above = next((other for other in self.messages if other.id == answer.parent), None)
        return above.id if above and above.role == "user" else None

    def latest_leaf(self, message: Message) -> str:
        """Give the end of the thread that goes through a message and then by the newest ones."""
        at = message.id
        for other in self.messages:  # parents come first, and the newest sibling last
            if other.parent == at:
                at = self._latest_child(at)
        return at

    def _latest_child(self, parent: str) -> str:
        return [message.id for message in self.messages if message.parent == parent][-1]
