"""What a model has written so far, gathered from a stream's events or a whole answer."""

from typing import Any

from backend.json_values import as_dict_list, as_str


class MessageBuilder:
    """The text of one answer, what was thought before it, and the tools it calls."""

    def __init__(self, content: str = "") -> None:
        self._content = [content]
        self._reasoning: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[dict[str, Any]] = []

    def add(self, answer: dict[str, Any]) -> None:
        """Read a chunk of a stream, or a whole answer."""
        for choice in as_dict_list(answer.get("choices")):
            said = choice.get("delta") or choice.get("message")
            if isinstance(said, dict):
                self._read(said)
            if isinstance(told := choice.get("logprobs"), dict):
                self._logprobs += as_dict_list(told.get("content"))

    def message_fields(self) -> dict[str, Any]:
        """Give what a message holds of it."""
        return {
            "content": "".join(self._content),
            "reasoning": "".join(self._reasoning) or None,
            "tool_calls": [self._tool_calls[key] for key in sorted(self._tool_calls)] or None,
        }

    def stored_fields(self) -> dict[str, Any]:
        """Give that, and each token's probability, where it was told."""
        return self.message_fields() | {"logprobs": self._logprobs or None}

    def _read(self, said: dict[str, Any]) -> None:
        self._content.append(as_str(said.get("content")))
        self._reasoning.append(as_str(said.get("reasoning_content") or said.get("reasoning")))
        for position, call in enumerate(as_dict_list(said.get("tool_calls"))):
            self._merge_tool_call(call, position)

    def _merge_tool_call(self, call: dict[str, Any], position: int) -> None:
        """Add to a tool's call, whose arguments come in pieces."""
        index = call["index"] if isinstance(call.get("index"), int) else position
        known = self._tool_calls.setdefault(
            index, {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        )
        known["id"] = as_str(call.get("id")) or known["id"]
        if isinstance(called := call.get("function"), dict):
            for name in ("name", "arguments"):
                known["function"][name] += as_str(called.get(name))
