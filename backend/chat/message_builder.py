"""Collects the message that a model writes, from a stream's events or a whole response."""

from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str


class MessageBuilder:
    """The text, reasoning, tool calls and token probabilities of one answer."""

    def __init__(self, content: str = "") -> None:
        self._content = [content]
        self._reasoning: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[dict[str, Any]] = []

    def add(self, response: dict[str, Any]) -> None:
        """Add one event of a stream, or a whole response."""
        for choice in as_dict_list(response.get("choices")):
            delta = as_dict(choice.get("delta") or choice.get("message"))
            self._content.append(as_str(delta.get("content")))
            self._reasoning.append(as_str(delta.get("reasoning_content") or delta.get("reasoning")))
            for position, call in enumerate(as_dict_list(delta.get("tool_calls"))):
                self._merge_tool_call(call, position)
            self._logprobs += as_dict_list(as_dict(choice.get("logprobs")).get("content"))

    def message_fields(self) -> dict[str, Any]:
        """Return the fields of the message so far, without token probabilities."""
        return {
            "content": "".join(self._content),
            "reasoning": "".join(self._reasoning) or None,
            "tool_calls": [self._tool_calls[key] for key in sorted(self._tool_calls)] or None,
        }

    def stored_fields(self) -> dict[str, Any]:
        """Return the fields of the finished message, with token probabilities if there are any."""
        return self.message_fields() | {"logprobs": self._logprobs or None}

    def _merge_tool_call(self, delta: dict[str, Any], position: int) -> None:
        """Add a part of a tool call, whose arguments come in pieces."""
        index = delta["index"] if isinstance(delta.get("index"), int) else position
        call = self._tool_calls.setdefault(
            index, {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = as_str(delta.get("id")) or call["id"]
        function = as_dict(delta.get("function"))
        for name in ("name", "arguments"):
            call["function"][name] += as_str(function.get(name))
