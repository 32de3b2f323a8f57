"""Requests for the next answer of a conversation."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from api.chat_chunk import Step
from api.conversation import Message
from chat.question import as_question
from chat.thread_items import ThreadItem, thread_items
from files.attachments import FIELD, Attachments

TOP_LOGPROBS = 5
FALLBACK_CONTEXT_TOKENS = 2048  # if the model server does not report its context size
# What the model reads instead of a result.
NO_RESULTS = {
    "awaiting_approval": "The user did not allow this call.",
    "denied": "The user did not allow this call.",
    "interrupted": "The call was interrupted. Its result is unknown.",
    "running": "The call was interrupted. Its result is unknown.",
}
CHARACTERS_PER_TOKEN = 3  # fewer than in English text, so that the excerpt fits


@dataclass(frozen=True)
class ChatSettings:
    """The settings of a request. What is not set is left to the server.

    `parameters` were chosen, and are stored with the conversation; `defaults` suit the model.
    `tools` are those of them that are available. `files` are stored with the conversation, too.
    """

    system: str = ""
    model: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    wants_logprobs: bool = False
    tools: Sequence[str] = ()
    files: Attachments = field(default_factory=Attachments)

    def conversation_fields(self) -> dict[str, Any]:
        """Return the fields that are stored with the conversation."""
        parameters = dict(self.parameters)
        if self.files:
            options = parameters.get("smolchat", {}) | {FIELD: self.files.request_field()}
            parameters["smolchat"] = options
        return {
            "system_prompt": self.system or None,
            "model": self.model,
            "parameters": parameters or None,
        }


def to_request(
    branch: Sequence[Message],
    question: str,
    settings: ChatSettings,
    *,
    prefix: str = "",
    undecided: Collection[str] = (),
) -> dict[str, Any]:
    """Build the request for the answer to a question; the model continues a `prefix`.

    `undecided` are calls that are sent without a result, so that the API runs them.
    """
    messages = [_message("system", settings.system)] if settings.system else []
    for item in thread_items(branch):
        messages += _item_messages(item, undecided)
    asked = as_question(question)
    messages += [] if asked.is_empty else [_message("user", asked.content)]
    messages += [_message("assistant", prefix)] if prefix else []
    request: dict[str, Any] = {"messages": messages, "stream": True}
    request |= {"model": settings.model} if settings.model else {}
    if settings.wants_logprobs:
        request |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    request |= settings.defaults | settings.parameters
    request.pop("smolchat", None)  # the tools, of which some may not be available
    return request


def storage_options(
    conversation: str,
    parent: str | None,
    tools: Sequence[str] = (),
    files: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> dict[str, Any]:
    """Return the request fields that store the turn and report its progress, stats and steps."""
    options |= {"tools": list(tools)} if tools else {}
    options |= {FIELD: dict(files)} if files else {}
    options |= {"receipt": True, "progress": True, "separate_reasoning": True, "detach": True}
    return {"smolchat": options | {"conversation": conversation, "parent": parent}}


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
    """Return the messages that models accept without tools: no empty answers, and no results."""
    accepted = [message for message in branch if message.role != "tool"]
    return [message for message in accepted if message.content or message.parts]


def _item_messages(item: ThreadItem, undecided: Collection[str]) -> list[dict[str, Any]]:
    """Return an item as a request has it: an answer with its calls and their results.

    A call of an imported chat that has no result is left out, as is a result without its call.
    """
    if item.role != "assistant":
        return [_message(m.role, m.parts or m.content) for m in non_empty_messages(item.messages)]
    messages = []
    answers = [message for message in item.messages if message.role != "tool"]
    for answer, each in zip(answers, item.rounds, strict=True):
        steps = [step for step in each.steps if step.id in {call.id for call in each.tool_calls}]
        if steps or non_empty_messages([answer]):
            message = _message("assistant", answer.parts or answer.content)
            messages.append(message | ({"tool_calls": list(map(_call, steps))} if steps else {}))
        messages += [_result(step) for step in steps if step.id not in undecided]
    return messages


def _call(step: Step) -> dict[str, Any]:
    is_text = isinstance(step.arguments, str)
    arguments = step.arguments if is_text else json.dumps(step.arguments, ensure_ascii=False)
    function = {"name": step.tool, "arguments": arguments}
    return {"id": step.id, "type": "function", "function": function}


def _result(step: Step) -> dict[str, Any]:
    content = step.result or step.error or NO_RESULTS.get(step.state, "")
    return {"role": "tool", "tool_call_id": step.id, "content": content}


def _message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}
