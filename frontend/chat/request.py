"""Requests for the next answer of a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from api.conversation import Message

TOP_LOGPROBS = 5
FALLBACK_CONTEXT_TOKENS = 2048  # if the model server does not report its context size
CHARACTERS_PER_TOKEN = 3  # fewer than in English text, so that the excerpt fits


@dataclass(frozen=True)
class ChatSettings:
    """The settings of a request. What is not set is left to the server.

    `parameters` were chosen, and are stored with the conversation; `defaults` suit the model.
    """

    system: str = ""
    model: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    wants_logprobs: bool = False

    def conversation_fields(self) -> dict[str, Any]:
        """Return the fields that are stored with the conversation."""
        return {
            "system_prompt": self.system or None,
            "model": self.model,
            "parameters": self.parameters or None,
        }


def to_request(
    branch: Sequence[Message], question: str, settings: ChatSettings, *, prefix: str = ""
) -> dict[str, Any]:
    """Build the request for the answer to a question; the model continues a `prefix`."""
    messages = [_message("system", settings.system)] if settings.system else []
    messages += [
        _message(message.role, message.parts or message.content)
        for message in non_empty_messages(branch)
    ]
    messages += [_message("user", question)] if question else []
    messages += [_message("assistant", prefix)] if prefix else []
    request: dict[str, Any] = {"messages": messages, "stream": True}
    request |= {"model": settings.model} if settings.model else {}
    if settings.wants_logprobs:
        request |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    return request | settings.defaults | settings.parameters


def storage_options(conversation: str, parent: str | None) -> dict[str, Any]:
    """Return the request fields that store the turn and report its progress and stats."""
    position = {"conversation": conversation, "parent": parent}
    options = {"receipt": True, "progress": True, "separate_reasoning": True}
    return {"smolchat": options | position}


def summary_request(branch: Sequence[Message]) -> str:
    """Return a prompt for a summary of the end of a branch: as much as fills half the context."""
    sizes = [message.receipt.context_size for message in branch if message.receipt]
    tokens = next((size for size in reversed(sizes) if size), FALLBACK_CONTEXT_TOKENS) // 2
    transcript = "\n\n".join(
        f"{message.role}: {message.content}" for message in non_empty_messages(branch)
    )
    excerpt = transcript[-tokens * CHARACTERS_PER_TOKEN :]
    return f"Summarize this conversation in at most five sentences.\n\n{excerpt}"


def non_empty_messages(branch: Sequence[Message]) -> list[Message]:
    """Return the messages that models accept: without empty answers, and without results of tools.

    An imported chat may have these, but the calls that they answer are not sent.
    """
    accepted = [message for message in branch if message.role != "tool"]
    return [message for message in accepted if message.content or message.parts]


def _message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}
