"""Put the tool calls of any server in the form in which OpenAI sends them.

Ollama and Gemini number all calls 0, older vLLM repeats the name in every piece, others send the
arguments as an object, or leave out ids and indexes.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from backend.errors import ModelServerError
from backend.json_values import as_dict, as_dict_list, as_index, as_str
from backend.model_server.answers.json_text import dump_json, parse_json
from backend.model_server.response_limits import ResponseLimits

MAX_CALLS = 1000  # of one choice
_REWRITTEN_FIELDS = {"index", "id", "type", "function", "name", "arguments"}


@dataclass
class _ToolCall:
    """One call, as far as it was received."""

    index: int
    id: str
    server_index: int | None
    name: str = ""
    arguments: str = ""

    def has_all_arguments(self) -> bool:
        # Most pieces of JSON do not end like this, and need not be parsed.
        return self.arguments.rstrip().endswith("}") and parse_json(self.arguments) is not None

    def add_name(self, name: str) -> str:
        """Add a name, or a piece of one; return what is new of it."""
        if self.arguments:
            return ""
        added = name.removeprefix(self.name)
        self.name += added
        return added

    def add_arguments(self, arguments: str) -> str:
        """Add a piece of the arguments; return what is new of it."""
        if arguments == self.arguments and self.has_all_arguments():
            return ""
        self.arguments += arguments
        return arguments


class ToolCallJoiner:
    """Joins the pieces of one choice's calls: by id, else by index, else by position."""

    def __init__(self, limits: ResponseLimits) -> None:
        self._limits = limits
        self._bytes = 0  # of ids and arguments
        self._calls: list[_ToolCall] = []
        self._by_id: dict[str, _ToolCall] = {}
        self._by_index: dict[int, _ToolCall] = {}  # the server's index, or the position

    def __bool__(self) -> bool:
        return bool(self._calls)

    def normalize(self, tool_calls: object) -> list[dict[str, Any]]:
        """Return the pieces in one chunk: each has an index, the first of a call also its id.

        Raises:
            ModelServerError: They are too many, or too long.
        """
        seen: list[_ToolCall] = []  # in this chunk
        return [
            self._normalize(piece, position, seen)
            for position, piece in enumerate(_as_calls(tool_calls))
        ]

    def _normalize(
        self, piece: dict[str, Any], position: int, seen: list[_ToolCall]
    ) -> dict[str, Any]:
        function = _function(piece)
        name, arguments = as_str(function.get("name")), _to_text(function.get("arguments"))
        server_index, call_id = as_index(piece.get("index")), _as_id(piece.get("id"))
        key = position if server_index is None else server_index
        call = self._find(call_id, key, name, arguments, seen)
        is_first = call is None
        if call is None:
            call = _ToolCall(len(self._calls), self._unused_id(call_id), server_index)
            self._calls.append(call)
        self._by_index[key] = call
        if call_id:
            self._by_id[call_id] = call
        self._check_size(call_id, arguments)
        seen.append(call)
        head = {"id": call.id, "type": piece.get("type") or "function"} if is_first else {}
        normalized = {"index": call.index} | head | _other_fields(piece)
        if "custom" not in piece:
            added = {"name": call.add_name(name)} if name else {}
            added = {key: value for key, value in added.items() if value}
            normalized["function"] = added | {"arguments": call.add_arguments(arguments)}
        return normalized

    def _check_size(self, call_id: str, arguments: str) -> None:
        self._bytes += len(call_id) + len(arguments)
        self._limits.check_bytes(self._bytes)
        if max(len(self._calls), len(self._by_id)) > MAX_CALLS:
            raise too_many_calls()

    def _find(
        self, call_id: str, key: int, name: str, arguments: str, seen: list[_ToolCall]
    ) -> _ToolCall | None:
        """Return the call that a piece continues, or None if the piece begins one.

        A call begins with its name. So a piece without one continues the last call of its index,
        even under another id.
        """
        if call := self._by_id.get(call_id):
            has_other_index = call.server_index not in (None, key)
            is_other = has_other_index and name and call.has_all_arguments()
            return None if is_other else call
        call = self._by_index.get(key)
        if call is None or not name:
            return call
        if call_id or any(call is other for other in seen):
            return None
        if name != call.name and call.arguments:
            return None
        return None if arguments.strip() and call.has_all_arguments() else call

    def _unused_id(self, call_id: str) -> str:
        return call_id if call_id and call_id not in self._by_id else _new_id()


def normalize_tool_calls(tool_calls: object) -> list[dict[str, Any]]:
    """Return the calls of a whole message, each with an id of its own and arguments as text."""
    normalized, ids = [], set[str]()
    for call in _as_calls(tool_calls):
        call_id = _as_id(call.get("id"))
        if not call_id or call_id in ids:
            call_id = _new_id()
        ids.add(call_id)
        fields = {"id": call_id, "type": call.get("type") or "function"} | _other_fields(call)
        if "custom" not in call:
            function = _function(call)
            name, arguments = as_str(function.get("name")), _to_text(function.get("arguments"))
            fields["function"] = {"name": name, "arguments": arguments}
        normalized.append(fields)
    return normalized


def too_many_calls() -> ModelServerError:
    return ModelServerError(f"The model server's answer has more than {MAX_CALLS:,} tool calls.")


def normalize_function_call(call: object) -> dict[str, Any]:
    """Return a call in OpenAI's form of 2023, or a piece of one, with its arguments as text."""
    call = as_dict(call)
    return call | ({"arguments": _to_text(call["arguments"])} if "arguments" in call else {})


def _as_calls(tool_calls: object) -> list[dict[str, Any]]:
    return as_dict_list([tool_calls] if isinstance(tool_calls, dict) else tool_calls)


def _function(call: dict[str, Any]) -> dict[str, Any]:
    """Return the name and arguments of a call, which some servers do not put in an object."""
    return as_dict(call.get("function")) or call


def _other_fields(call: dict[str, Any]) -> dict[str, Any]:
    """Return what else a server sends with a call, such as Gemini's thought signature."""
    return {name: value for name, value in call.items() if name not in _REWRITTEN_FIELDS}


def _to_text(arguments: object) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return dump_json(arguments).decode()


def _as_id(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"
