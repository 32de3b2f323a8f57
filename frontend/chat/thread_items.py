"""The items of a thread: what is shown as one message, although it may be stored as several."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from api.chat_chunk import Step
from api.conversation import Conversation, Message
from chat.answer_round import AnswerRound, stored_rounds


@dataclass(frozen=True)
class ThreadItem:
    """A message, or an answer with its steps: the calls, their results, and the next answer."""

    messages: Sequence[Message]

    @property
    def first(self) -> Message:
        return self.messages[0]

    @property
    def last(self) -> Message:
        return self.messages[-1]

    @property
    def id(self) -> str:
        return self.first.id

    @property
    def role(self) -> str:
        return self.first.role

    @property
    def answer(self) -> Message:
        """The last message that the model wrote: its text is what the others led to."""
        return next((m for m in reversed(self.messages) if m.role != "tool"), self.first)

    @cached_property
    def rounds(self) -> list[AnswerRound]:
        return stored_rounds(self.messages)

    @property
    def last_steps(self) -> list[Step]:
        """The steps at the end, on which the model has not written yet."""
        return self.rounds[-1].steps

    @property
    def awaiting(self) -> list[Step]:
        return [step for step in self.last_steps if step.state == "awaiting_approval"]

    @property
    def has_steps(self) -> bool:
        return len(self.messages) > 1

    @property
    def is_writing(self) -> bool:
        return any(message.state == "writing" for message in self.messages)

    @property
    def is_incomplete(self) -> bool:
        """Return True if the model can go on with the answer."""
        if self.last.role == "tool":
            return not (self.awaiting or self.is_writing)
        return self.answer.is_incomplete and not self.has_steps

    def message_of(self, step: Step) -> Message:
        """Return the message in which a step is stored, or the last one."""
        stored = (m for m in self.messages if m.role == "tool" and m.tool_call_id == step.id)
        return next(stored, self.last)

    def up_to_results(self, message: Message) -> list[Message]:
        """Return the messages down to a result and the others of the same round."""
        end = self.messages.index(message) + 1
        while end < len(self.messages) and self.messages[end].role == "tool":
            end += 1
        return list(self.messages[:end])


def thread_items(branch: Sequence[Message]) -> list[ThreadItem]:
    """Return the items of a branch, oldest first."""
    groups = list[list[Message]]()
    for message in branch:
        if groups and message.continues(groups[-1][-1]):
            groups[-1].append(message)
        else:
            groups.append([message])
    return [ThreadItem(group) for group in groups]


def versions(conversation: Conversation, item: ThreadItem) -> list[Message]:
    """Return the last message of each version of an item, oldest first.

    Versions of an answer differ from its start, or from a step that was tried again.
    """
    siblings = conversation.siblings(item.first)
    if len(siblings) == 1 and not item.has_steps:
        return [item.last]
    children = defaultdict[str | None, list[Message]](list)
    for message in conversation.messages:
        children[message.parent].append(message)
    stack, leaves = siblings[::-1], list[Message]()
    while stack:
        message = stack.pop()
        following = [child for child in children[message.id] if child.continues(message)]
        stack += reversed(following)
        leaves += [] if following else [message]
    return leaves


def version_items(conversation: Conversation, item: ThreadItem) -> list[ThreadItem]:
    """Return all versions of an item."""
    return [
        thread_items(conversation.branch_to(leaf.id))[-1] for leaf in versions(conversation, item)
    ]
