"""Collects the message that a model writes, from a stream's events or a whole response.

They are in OpenAI's form, but for where a server puts the reasoning.
"""

from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str
from backend.model_server.answers.json_text import dump_json, replace_halves
from backend.model_server.answers.reasoning import ReasoningReader, parts_of, separate
from backend.model_server.response_limits import DEFAULT_LIMITS, ResponseLimits

_PIECE_BYTES = 32  # that each piece of a text takes besides its characters


class MessageBuilder:
    """The text, reasoning, tool calls and token probabilities of one answer."""

    def __init__(self, content: str = "", limits: ResponseLimits = DEFAULT_LIMITS) -> None:
        """Begin with the `content` of an answer that the model continues."""
        self._limits = limits
        self._bytes = 0  # about what is kept
        text, reasoning = separate(content)
        self._content = [text]
        self._reasoning = [reasoning]
        self._refusal: list[str] = []
        self._reader = ReasoningReader(content)
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[dict[str, Any]] = []

    def add(self, response: dict[str, Any]) -> None:
        """Add one event of a stream, or a whole response.

        Raises:
            ModelServerError: The message is longer than the limit.
        """
        for choice in as_dict_list(response.get("choices")):
            message = as_dict(choice.get("delta")) or as_dict(choice.get("message"))
            self._add_parts(message)
            for position, call in enumerate(as_dict_list(message.get("tool_calls"))):
                self._merge_tool_call(call, position)
            if function := as_dict(message.get("function_call")):  # OpenAI's form of 2023
                self._merge_tool_call({"function": function}, 0)
            if logprobs := as_dict_list(as_dict(choice.get("logprobs")).get("content")):
                self._logprobs += logprobs
                self._bytes += len(dump_json(logprobs))
        self._limits.check_bytes(self._bytes)

    def message_fields(self) -> dict[str, Any]:
        """Return the fields of the message so far, without token probabilities.

        A refusal is the content of a message that has no other.
        """
        text, reasoning, _ = self._reader.pending()
        content = "".join(self._content) + text
        return {
            "content": replace_halves(content or "".join(self._refusal)),
            "reasoning": replace_halves("".join(self._reasoning) + reasoning) or None,
            "tool_calls": [self._tool_calls[key] for key in sorted(self._tool_calls)] or None,
        }

    def stored_fields(self) -> dict[str, Any]:
        """Return the fields of the finished message, with token probabilities if there are any."""
        return self.message_fields() | {"logprobs": self._logprobs or None}

    def _add_parts(self, message: dict[str, Any]) -> None:
        for kind, text in parts_of(message):
            self._bytes += len(text) + _PIECE_BYTES
            if kind == "reasoning":
                self._reasoning.append(text)
            elif kind == "refusal":
                self._refusal.append(text)
            else:
                content, reasoning, moved = self._reader.add(text)
                if moved is not None:
                    self._reasoning.append(moved)
                    self._content.clear()
                self._reasoning.append(reasoning)
                self._content.append(content)

    def _merge_tool_call(self, delta: dict[str, Any], position: int) -> None:
        """Add a part of a tool call, whose arguments come in pieces."""
        index = delta["index"] if isinstance(delta.get("index"), int) else position
        call = self._tool_calls.setdefault(
            index, {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = as_str(delta.get("id")) or call["id"]
        function = as_dict(delta.get("function"))
        for name in ("name", "arguments"):
            text = as_str(function.get(name))
            call["function"][name] += text
            self._bytes += len(text) + _PIECE_BYTES
