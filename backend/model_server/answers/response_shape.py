"""Turn a whole completion into the chunks of a stream, and chunks into a whole completion.

Some servers stream whatever is asked, and some never do.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from backend.json_values import as_count, as_dict, as_dict_list, as_index, as_str

_ENVELOPE = ("id", "created", "model", "system_fingerprint")


def has_messages(event: dict[str, Any]) -> bool:
    """Return True if the choices of an event have messages, as those of a whole completion do."""
    choices = as_dict_list(event.get("choices"))
    return any("message" in choice or "text" in choice for choice in choices)


def pop_message(choice: dict[str, Any]) -> dict[str, Any]:
    """Take the message out of a choice: an empty one if it has none.

    Completions of OpenAI's older kind have a text instead.
    """
    text = choice.pop("text", None)
    message = as_dict(choice.pop("message", None))
    return message or ({"role": "assistant", "content": text} if isinstance(text, str) else {})


def to_chunks(response: dict[str, Any], *, includes_usage: bool) -> Iterator[dict[str, Any]]:
    """Yield a whole completion as events: one for each choice, and one with the usage."""
    envelope = {name: response[name] for name in _ENVELOPE if name in response}
    envelope["object"] = "chat.completion.chunk"
    for position, choice in enumerate(as_dict_list(response.get("choices"))):
        index, reason = as_index(choice.get("index")), choice.get("finish_reason")
        fields = choice | {"index": index or position, "finish_reason": reason or "stop"}
        yield envelope | {"choices": [fields]}
    numbers = {name: response[name] for name in ("usage", "timings") if response.get(name)}
    if numbers and includes_usage:
        yield envelope | {"choices": []} | numbers


def from_chunks(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole completion that the chunks of a stream make."""
    response: dict[str, Any] = {}
    choices: dict[int, _ChoiceJoiner] = {}
    for chunk in chunks:
        response |= {name: value for name, value in chunk.items() if name != "choices" and value}
        for position, part in enumerate(as_dict_list(chunk.get("choices"))):
            index = as_count(part.get("index"))
            index = position if index is None else index
            choices.setdefault(index, _ChoiceJoiner(index)).add(part)
    response["object"] = "chat.completion"
    return response | {"choices": [choices[index].joined() for index in sorted(choices)]}


class _ChoiceJoiner:
    """Joins one choice of a stream: its texts at the end, so that long ones are cheap."""

    def __init__(self, index: int) -> None:
        self._choice: dict[str, Any] = {"index": index}
        self._fields: dict[str, Any] = {"role": "assistant", "content": None}
        self._texts: dict[str, list[str]] = {}  # by the field of the message
        self._content_parts: list[Any] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._arguments: dict[int, list[str]] = {}

    def add(self, part: dict[str, Any]) -> None:
        """Add a choice of a chunk."""
        for name, value in as_dict(part.get("delta")).items():
            if name == "tool_calls":
                for call in as_dict_list(value):
                    self._add_tool_call(call)
            elif name == "function_call" and isinstance(value, dict):
                self._add_function_call(value)
            elif name == "content" and isinstance(value, list):
                self._move_text_to_parts()
                self._content_parts += value
            elif name != "role" and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif value is not None and name != "content":
                self._fields[name] = value
        if logprobs := as_dict_list(as_dict(part.get("logprobs")).get("content")):
            self._choice.setdefault("logprobs", {"content": []})["content"] += logprobs
        if part.get("finish_reason"):
            self._choice["finish_reason"] = part["finish_reason"]

    def joined(self) -> dict[str, Any]:
        """Return the choice of a whole completion."""
        if self._content_parts:
            self._move_text_to_parts()
            self._fields["content"] = self._content_parts
        message = self._fields | {name: "".join(texts) for name, texts in self._texts.items()}
        for index, call in self._calls.items():
            if "function" in call:
                call["function"] = call["function"] | {"arguments": "".join(self._arguments[index])}
        if self._calls:
            message["tool_calls"] = list(self._calls.values())
        return self._choice | {"message": message}

    def _move_text_to_parts(self) -> None:
        if text := "".join(self._texts.pop("content", ())):
            self._content_parts.append({"type": "text", "text": text})

    def _add_function_call(self, part: dict[str, Any]) -> None:
        call = self._fields.setdefault("function_call", {"name": "", "arguments": ""})
        for name in call:
            call[name] += as_str(part.get(name))

    def _add_tool_call(self, part: dict[str, Any]) -> None:
        """Add a part of a tool call in OpenAI's form: id and name come first."""
        index, function = part.get("index", len(self._calls)), as_dict(part.get("function"))
        if index in self._calls:
            if name := function.get("name"):  # a further piece of it
                called = self._calls[index]["function"]
                called["name"] = called.get("name", "") + name
        else:
            self._calls[index] = {name: value for name, value in part.items() if name != "index"}
        self._arguments.setdefault(index, []).append(function.get("arguments", ""))
