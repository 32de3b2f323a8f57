"""Put the chunks of a stream, and whole responses, in the form in which OpenAI sends them."""

import re
from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from backend.errors import ModelServerError
from backend.json_values import as_count, as_dict, as_dict_list
from backend.model_server.answers.json_text import has_broken_text, replace_halves
from backend.model_server.answers.tool_calls import (
    MAX_CALLS,
    ToolCallJoiner,
    normalize_function_call,
    normalize_tool_calls,
    too_many_calls,
)
from backend.model_server.response_limits import DEFAULT_LIMITS, ResponseLimits

# `finish_reason: "tool_calls"` counts: it may be wrong. Empty `tool_calls` do not.
_TOOL_CALLS = re.compile(rb'"tool_calls"(?!\s*:\s*(?:null|\[\s*\]))|"function_call"\s*:\s*\{')
# The fields of a delta in which a text comes in pieces, and those of its parts.
_TEXT_FIELDS = {
    "content", "reasoning_content", "reasoning", "reasoning_details", "thinking", "refusal"
}  # fmt: skip
_PART_FIELDS = {"content", "text", "thinking", "reasoning", "summary", "refusal"}
# What other servers say of an answer that ends with its tool calls.
_ENDED = {"stop", "eos", "eos_token", "end_turn", "tool_use", "tool_call", "function_call"}
_ENVELOPE = ("id", "object", "created", "model", "system_fingerprint")
MAX_PENDING = 1000  # texts of a stream that end in half a character
_REPLACEMENT = "\ufffd"

_Wrap = Callable[[Any], dict[str, Any]]
_Path = tuple[int | str, ...]  # to a text, from the index of its choice


class EventNormalizer:
    """One stream: joins halves of characters that are in two chunks, and the parts of tool calls.

    A character's first half waits for the next text of its field. If that does not begin with the
    second half, or does not come, it becomes U+FFFD.
    """

    def __init__(self, limits: ResponseLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._tool_calls: dict[int, ToolCallJoiner] = {}  # by the index of the choice
        self._legacy_calls: set[int] = set()  # choices with a `function_call`
        # First halves, and what returns a delta that holds the text of their field.
        self._pending: dict[_Path, tuple[str, _Wrap]] = {}
        self._envelope: dict[str, Any] = {}

    @staticmethod
    def needs(raw: bytes) -> bool:
        """Return True if lines of a stream have to be normalized."""
        return has_tool_calls(raw) or has_broken_text(raw)

    def normalize(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event in OpenAI's form; it is changed in place. Each must be passed in turn."""
        self._envelope = {name: event[name] for name in _ENVELOPE if name in event}
        is_broken = bool(self._pending) or _has_halves(event)
        for position, choice in enumerate(as_dict_list(event.get("choices"))):
            number = as_count(choice.get("index"))
            index = position if number is None else number
            name = "delta" if choice.get("delta") or not choice.get("message") else "message"
            delta = as_dict(choice.get(name))
            self._normalize_calls(index, choice, delta)
            if is_broken:
                choice[name] = delta
                self._join_halves(index, delta)
                if choice.get("finish_reason"):
                    self._flush_choice(index, delta)
        return as_dict(_replace_halves(event)) if is_broken else event

    def flush(self) -> dict[str, Any] | None:
        """Return the chunk with what is still pending when the stream ends, or None."""
        choices = []
        for index in sorted({int(path[0]) for path in self._pending}):
            delta: dict[str, Any] = {}
            self._flush_choice(index, delta)
            choices.append({"index": index, "delta": delta, "finish_reason": None})
        return self._envelope | {"choices": choices} if choices else None

    def _normalize_calls(self, index: int, choice: dict[str, Any], delta: dict[str, Any]) -> None:
        calls = self._tool_calls.setdefault(index, ToolCallJoiner(self._limits))
        if delta.get("tool_calls"):
            delta["tool_calls"] = calls.normalize(delta["tool_calls"])
        if delta.get("function_call"):
            self._legacy_calls.add(index)
            delta["function_call"] = normalize_function_call(delta["function_call"])
        _normalize_finish_reason(
            choice, has_tool_calls=bool(calls), has_legacy_call=index in self._legacy_calls
        )

    def _join_halves(self, index: int, delta: dict[str, Any]) -> None:
        for field in _TEXT_FIELDS & delta.keys():
            delta[field] = self._join(delta[field], (index, field), _wrapper(field))
        for call in as_dict_list(delta.get("tool_calls")):
            if isinstance(function := call.get("function"), dict):
                path = (index, "tool_calls", call["index"])
                wrap = _arguments_wrapper(call["index"])
                function["arguments"] = self._join(function["arguments"], path, wrap)

    def _join(self, value: Any, path: _Path, wrap: _Wrap) -> Any:
        """Return a text, or the parts of one, with the half that was pending before it."""
        if isinstance(value, str) and value:
            half, _ = self._pending.pop(path, ("", wrap))
            text = half + value
            if "\ud800" <= text[-1] <= "\udbff":
                self._pending[path] = text[-1], wrap
                if len(self._pending) > MAX_PENDING:
                    raise ModelServerError("The model server's answer has too many broken texts.")
                text = text[:-1]
            return replace_halves(text)
        if isinstance(value, list):
            return [self._join(item, path, lambda part: wrap([part])) for item in value]
        if isinstance(value, dict):
            kind = _part_type(value)
            return value | {
                name: self._join(value[name], (*path, *kind, name), _part_wrapper(wrap, name, kind))
                for name in _PART_FIELDS & value.keys()
            }
        return value

    def _flush_choice(self, index: int, delta: dict[str, Any]) -> None:
        """Add what is pending of a choice to its last delta."""
        for path in [path for path in self._pending if path[0] == index]:
            _, wrap = self._pending.pop(path)
            [(name, value)] = wrap(_REPLACEMENT).items()
            last = delta.get(name)
            delta[name] = last + value if isinstance(last, type(value)) else value


def has_tool_calls(raw: bytes) -> bool:
    """Return True if lines of a stream, or a whole response, may have tool calls."""
    return b"_call" in raw and _TOOL_CALLS.search(raw) is not None


def normalize_response(response: dict[str, Any]) -> dict[str, Any]:
    """Return a whole response in OpenAI's form; it is changed in place."""
    for choice in as_dict_list(response.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            if message.get("tool_calls"):
                message["tool_calls"] = normalize_tool_calls(message["tool_calls"])
                if len(message["tool_calls"]) > MAX_CALLS:
                    raise too_many_calls()
            if message.get("function_call"):
                message["function_call"] = normalize_function_call(message["function_call"])
            _normalize_finish_reason(
                choice,
                has_tool_calls=bool(message.get("tool_calls")),
                has_legacy_call=bool(message.get("function_call")),
            )
    return as_dict(_replace_halves(response)) if _has_halves(response) else response


def _normalize_finish_reason(
    choice: dict[str, Any], *, has_tool_calls: bool, has_legacy_call: bool
) -> None:
    """Make it `tool_calls` if, and only if, the choice has some that are not cut off."""
    reason = choice.get("finish_reason")
    if not isinstance(reason, str):
        return
    if has_tool_calls and reason.lower() in _ENDED:
        choice["finish_reason"] = "tool_calls"
    elif reason == "tool_calls" and not has_tool_calls and not has_legacy_call:
        choice["finish_reason"] = "stop"


def _wrapper(field: str) -> _Wrap:
    return lambda value: {field: value}


def _part_wrapper(wrap: _Wrap, name: str, kind: tuple[str, ...]) -> _Wrap:
    fields = {"type": kind[0]} if kind else {}
    return lambda text: wrap(fields | {name: text})


def _part_type(part: dict[str, Any]) -> tuple[str, ...]:
    return (part["type"],) if isinstance(part.get("type"), str) else ()


def _arguments_wrapper(index: int) -> _Wrap:
    return lambda text: {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


def _has_halves(value: Any) -> bool:
    try:
        to_json(value)
    except PydanticSerializationError:
        return True
    return False


def _replace_halves(value: Any) -> Any:
    if isinstance(value, str):
        return replace_halves(value)
    if isinstance(value, list):
        return [_replace_halves(item) for item in value]
    if isinstance(value, dict):
        return {replace_halves(name): _replace_halves(item) for name, item in value.items()}
    return value
