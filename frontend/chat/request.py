"""A thread of a conversation, sent to the API for its next answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from api.conversation import Message

TOP_LOGPROBS = 5
CAUTIOUS_CONTEXT_TOKENS = 2048  # where the model server tells no size
CHARACTERS_PER_TOKEN = 3  # fewer than English has, so that it fits


@dataclass(frozen=True)
class ChatSettings:
    """How an answer is asked for. What is not chosen is left to the server."""

    system: str = ""
    model: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    wants_logprobs: bool = False

    def conversation_fields(self) -> dict[str, Any]:
        """Give what a conversation remembers of it."""
        return {
            "system_prompt": self.system or None,
            "model": self.model,
            "parameters": self.parameters or None,
        }


def to_request(
    thread: Sequence[Message], question: str, settings: ChatSettings, *, begun: str = ""
) -> dict[str, Any]:
    """Ask for the answer to a question; `begun` is its start, which the model goes on with."""
    messages = [_message("system", settings.system)] if settings.system else []
    messages += [
        _message(said.role, said.parts or said.content) for said in non_empty_messages(thread)
    ]
    messages += [_message("user", question)] if question else []
    messages += [_message("assistant", begun)] if begun else []
    request: dict[str, Any] = {"messages": messages, "stream": True}
    request |= {"model": settings.model} if settings.model else {}
    if settings.wants_logprobs:
        request |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    return request | settings.parameters


def storage_options(conversation: str, parent: str | None) -> dict[str, Any]:
    """Have the turn kept, and be told what it is waiting for and what it cost."""
    place = {"conversation": conversation, "parent": parent}
    return {"smolchat": {"receipt": True, "progress": True} | place}


def summary_request(thread: Sequence[Message]) -> str:
    """Ask for a summary of as much of a thread, from its end, as half of the context holds."""
    sizes = [message.receipt.context_size for message in thread if message.receipt]
    tokens = next((size for size in reversed(sizes) if size), CAUTIOUS_CONTEXT_TOKENS) // 2
    said = "\n\n".join(
        f"{message.role}: {message.content}" for message in non_empty_messages(thread)
    )
    kept = said[-tokens * CHARACTERS_PER_TOKEN :]
    return f"Summarise this conversation in at most five sentences.\n\n{kept}"


def non_empty_messages(thread: Sequence[Message]) -> list[Message]:
    """Leave out answers without words: a template would stumble over them."""
    return [message for message in thread if message.content or message.parts]


def _message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}
