"""A chat read from another program's export, and its conversion to a stored conversation."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from backend.conversations.conversation import Conversation, Message, derive_title
from backend.conversations.formats.message_tree import ImportedMessage, MessageTree
from backend.database.types import new_id, utc_now
from backend.json_values import as_str
from backend.model_server.answers.reasoning import separate
from backend.protocol import CompletionRequest

_PARAMETERS = CompletionRequest.model_fields.keys() - {"messages", "model", "stream", "smolchat"}
_MAX_NAMED, _MAX_NAME_CHARACTERS = 5, 80

Json = dict[str, Any]


class UnusableChatError(Exception):
    """A chat that cannot be imported. Its text is the reason, `param` the field at fault."""

    def __init__(self, reason: str, *, param: str | None = None) -> None:
        super().__init__(reason)
        self.param = param


@dataclass(kw_only=True)
class ImportedChat:
    """A chat of an export: its messages by their keys, in the order of the file."""

    title: str = ""
    model: str | None = None
    system_prompt: str = ""
    parameters: Json = field(default_factory=dict)
    current: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    messages: dict[str, ImportedMessage] = field(default_factory=dict)
    text_files: set[str] = field(default_factory=set)  # names of files whose text is in a message
    _left_out: Counter[str] = field(default_factory=Counter, init=False)

    def leave_out(self, kind: str, name: object = None) -> None:
        """Record that a part of the chat, such as an image, is not imported."""
        text = " ".join(as_str(name).split())[:_MAX_NAME_CHARACTERS]
        self._left_out[f"{kind} “{text}”" if text else kind] += 1

    def set_parameters(self, values: Json) -> None:
        """Keep those values that a chat request accepts."""
        for name in values.keys() & _PARAMETERS:
            if values[name] is not None:
                if _is_valid_parameter(name, values[name]):
                    self.parameters[name] = values[name]
                else:
                    self.leave_out("parameter", name)

    def left_out_parts(self) -> str:
        """Return a sentence that names what is not imported, or an empty string."""
        named = [f"{part} ({n})" if n > 1 else part for part, n in self._left_out.items()]
        more = [f"{len(named) - _MAX_NAMED} more"] if len(named) > _MAX_NAMED else []
        return f"Not imported: {', '.join(named[:_MAX_NAMED] + more)}." if named else ""

    def to_conversation(self, check_count: Callable[[int], None]) -> Conversation:
        """Build the conversation; `check_count` checks the number of its messages.

        Raises:
            UnusableChatError: It has no messages, or too many.
        """
        tree = MessageTree(self.messages)
        self._lift_system_prompt(tree)
        ids: dict[str | None, str] = {}
        messages: list[Message] = []
        for key, parent, reasoning in tree.walk():
            check_count(len(messages) + 1)
            ids[key] = new_id()
            source = self.messages[str(key)]
            messages.append(_message(source, ids[key], ids.get(parent), reasoning))
        if not messages:
            raise UnusableChatError("It has no messages.")
        times = [message.created_at for message in messages]
        first_question = next((m.content for m in messages if m.role == "user"), "")
        return Conversation(
            title=" ".join(self.title.split())[:200] or derive_title(first_question),
            model=self.model or next((m.model for m in reversed(messages) if m.model), None),
            system_prompt=self.system_prompt or None,
            parameters=self.parameters or None,
            current=ids.get(tree.latest_leaf(self.current)),
            created_at=self.created_at or min(times),
            updated_at=self.updated_at or max(times),
            messages=messages,
        )

    def _lift_system_prompt(self, tree: MessageTree) -> None:
        """Use the system message that all others follow as the system prompt."""
        first = tree.single_root()
        if first and first.role in ("system", "developer") and not self.system_prompt:
            self.system_prompt, first.is_hidden = first.content, True


def _message(source: ImportedMessage, key: str, parent: str | None, reasoning: str) -> Message:
    created_at = source.created_at or utc_now()
    fields: Json = {"id": key, "parent": parent, "role": source.role, "content": source.content}
    if source.role == "assistant":
        fields["content"], written = separate(source.content)  # `<think>` and the like
        texts = filter(None, [reasoning, source.reasoning, written])
        fields |= {"reasoning": "\n\n".join(texts) or None, "tool_calls": source.tool_calls or None}
        fields |= {"model": source.model, "state": source.state, "error": source.error}
    if source.images:
        text = [{"type": "text", "text": fields["content"]}] if fields["content"] else []
        fields["parts"] = text + source.images
    return Message.model_validate(fields | {"created_at": created_at, "updated_at": created_at})


def _is_valid_parameter(name: str, value: object) -> bool:
    try:
        messages = [{"role": "user", "content": "Hello"}]
        CompletionRequest.model_validate({"messages": messages, name: value})
    except ValidationError:
        return False
    return True
