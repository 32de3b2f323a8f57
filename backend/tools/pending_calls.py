"""Calls in the messages of a request, and which of them have no result yet."""

from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str
from backend.tools.steps import ToolCall
from backend.tools.toolset import Toolset

DENIED = "The user did not allow this call."

Messages = list[dict[str, Any]]


def is_continuation(messages: Messages) -> bool:
    """Return True if messages end with calls or their results: a turn that is to go on."""
    return messages[-1]["role"] == "tool" or bool(messages[-1].get("tool_calls"))


def with_denials(messages: Messages, toolset: Toolset) -> Messages:
    """Return a copy of the messages in which each call of the API's tools has a result.

    A call that is followed by another message without one was denied. The last calls stay open.
    """
    copied: Messages = []
    unanswered: dict[str, ToolCall] = {}
    for message in messages:
        if message["role"] == "tool":
            unanswered.pop(as_str(message.get("tool_call_id")), None)
        else:
            copied += [result_message(call, DENIED) for call in unanswered.values()]
            unanswered = {
                call.id: call for call in calls_of(message) if call.name in toolset.api_tools
            }
        calls = message.get("tool_calls")
        copied.append(message | {"tool_calls": [dict(c) for c in calls]} if calls else message)
    return copied


def pending_calls(messages: Messages, toolset: Toolset) -> list[ToolCall]:
    """Return the last calls of the API's tools without a result, if only results follow them."""
    answered = set[str]()
    for message in reversed(messages):
        if message["role"] == "tool":
            answered.add(as_str(message.get("tool_call_id")))
            continue
        return [
            call
            for call in calls_of(message)
            if call.name in toolset.api_tools and call.id not in answered
        ]
    return []


def calls_of(message: dict[str, Any]) -> list[ToolCall]:
    calls = []
    for call in as_dict_list(message.get("tool_calls")):
        function = as_dict(call.get("function"))
        name, arguments = as_str(function.get("name")), as_str(function.get("arguments"))
        calls.append(ToolCall(as_str(call.get("id")), name, arguments))
    return calls


def result_message(call: ToolCall, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text}
