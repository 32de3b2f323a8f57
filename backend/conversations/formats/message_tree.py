"""The messages of an imported chat as a tree, whatever their references say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backend.conversations.conversation import MessageState

_LAST = datetime.max.replace(tzinfo=UTC)  # the place of messages without a time


@dataclass(kw_only=True)
class ImportedMessage:
    """A message of an export. A hidden one is not imported: its replies move up to its parent."""

    parent: str | None = None
    children: list[str] = field(default_factory=list)  # in the order of their versions
    role: str = "user"
    content: str = ""
    reasoning: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)  # content parts with data URLs
    model: str | None = None
    state: MessageState = "finished"
    error: dict[str, Any] | None = None
    created_at: datetime | None = None
    is_hidden: bool = False


class MessageTree:
    """The order of messages in which each follows its parent.

    A message whose parent is unknown is the child of the message that lists it; if there is none,
    it is a first message. A circle of messages is opened at its oldest.
    """

    def __init__(self, messages: dict[str, ImportedMessage]) -> None:
        self._messages = messages
        listed_by: dict[str, str] = {}
        for key, message in messages.items():
            for child in message.children:
                listed_by.setdefault(child, key)
        self._parents = {
            key: message.parent if message.parent in messages else listed_by.get(key)
            for key, message in messages.items()
        }
        self._open_circles()
        self._children: dict[str | None, list[str]] = {}
        for key, parent in self._parents.items():
            self._children.setdefault(parent, []).append(key)
        for parent, keys in self._children.items():
            keys.sort(key=self._version_order(parent))

    def single_root(self) -> ImportedMessage | None:
        """Return the first message, if there is only one that is not hidden."""
        keys = self._children.get(None, [])
        while len(keys) == 1:
            if not self._messages[keys[0]].is_hidden:
                return self._messages[keys[0]]
            keys = self._children.get(keys[0], [])
        return None

    def walk(self) -> Iterator[tuple[str, str | None, str]]:
        """Yield the messages that are not hidden, depth first: their key and their parent's.

        The third value is the reasoning in the hidden messages directly before. Of several replies
        to these, the first has it.
        """
        pending: list[tuple[str, str | None, list[str]]] = []
        pending += [(key, None, []) for key in reversed(self._children.get(None, []))]
        while pending:
            key, parent, reasoning = pending.pop()
            message = self._messages[key]
            if not message.is_hidden:
                yield key, parent, "\n\n".join(reasoning)
                parent, reasoning = key, []
            elif message.reasoning:
                reasoning.append(message.reasoning)
            if children := self._children.get(key):
                pending += [(child, parent, []) for child in reversed(children[1:])]
                pending.append((children[0], parent, reasoning))

    def latest_leaf(self, key: str | None) -> str | None:
        """Return the end of the newest branch through a message, or None if it does not exist."""
        if key not in self._messages:
            return None
        while children := self._children.get(key):
            key = children[-1]
        while key is not None and self._messages[key].is_hidden:
            key = self._parents[key]
        return key

    def _version_order(self, parent: str | None) -> Callable[[str], tuple[int, datetime]]:
        """Return the sort key of siblings: as their parent lists them, then by time."""
        children = [] if parent is None else self._messages[parent].children
        positions = {key: number for number, key in reversed([*enumerate(children)])}
        return lambda key: (positions.get(key, len(children)), self._time(key))

    def _open_circles(self) -> None:
        checked: set[str] = set()
        for start in self._parents:
            path: list[str] = []
            on_path: set[str] = set()
            key: str | None = start
            while key is not None and key not in checked and key not in on_path:
                path.append(key)
                on_path.add(key)
                key = self._parents[key]
            if key in on_path:
                self._parents[min(path[path.index(key) :], key=self._time)] = None
            checked |= on_path

    def _time(self, key: str) -> datetime:
        return self._messages[key].created_at or _LAST
