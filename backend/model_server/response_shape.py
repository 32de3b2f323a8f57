"""Turn a whole completion into the chunks of a stream, and chunks into a whole completion.

Some servers stream whatever is asked, and some never do.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from backend.json_values import as_count, as_dict, as_dict_list

_ENVELOPE = ("id", "created", "model", "system_fingerprint")


def to_chunks(response: dict[str, Any], *, includes_usage: bool) -> Iterator[dict[str, Any]]:
    """Yield a whole completion as chunks: one for each choice, and one with the usage."""
    envelope = {name: response[name] for name in _ENVELOPE if name in response}
    envelope["object"] = "chat.completion.chunk"
    for position, choice in enumerate(as_dict_list(response.get("choices"))):
        fields = {name: value for name, value in choice.items() if name != "message"}
        delta = as_dict(choice.get("message")) or as_dict(choice.get("delta"))
        if calls := as_dict_list(delta.get("tool_calls")):
            calls = [{"index": index} | call for index, call in enumerate(calls)]
            delta = delta | {"tool_calls": calls}
        fields |= {"index": as_count(choice.get("index")) or position, "delta": delta}
        fields["finish_reason"] = choice.get("finish_reason") or "stop"
        yield envelope | {"choices": [fields]}
    numbers = {name: response[name] for name in ("usage", "timings") if response.get(name)}
    if numbers and includes_usage:
        yield envelope | {"choices": []} | numbers


def from_chunks(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole completion that the chunks of a stream make."""
    response: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        response |= {name: value for name, value in chunk.items() if name != "choices" and value}
        for position, part in enumerate(as_dict_list(chunk.get("choices"))):
            index = as_count(part.get("index"))
            index = position if index is None else index
            message = {"role": "assistant", "content": None}
            choice = choices.setdefault(index, {"index": index, "message": message})
            _add_delta(choice["message"], as_dict(part.get("delta") or part.get("message")))
            if logprobs := as_dict_list(as_dict(part.get("logprobs")).get("content")):
                choice.setdefault("logprobs", {"content": []})["content"] += logprobs
            if part.get("finish_reason"):
                choice["finish_reason"] = part["finish_reason"]
    for choice in choices.values():
        for call in choice["message"].get("tool_calls", ()):
            del call["index"]  # only chunks have one
    response["object"] = "chat.completion"
    return response | {"choices": [choices[index] for index in sorted(choices)]}


def _add_delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        present = message.get(name)
        if name == "tool_calls":
            for call in as_dict_list(value):
                _add_tool_call(message.setdefault(name, []), call)
        elif name == "content" and isinstance(value, str | list):
            message[name] = _joined(present, value)
        elif name != "role" and isinstance(value, str) and isinstance(present, str):
            message[name] = present + value
        elif value is not None:
            message[name] = value


def _joined(content: str | list[Any] | None, more: str | list[Any]) -> str | list[Any]:
    """Return the content with more of it; text and content parts become content parts."""
    if not content or not more:
        return content or more
    if isinstance(content, str) and isinstance(more, str):
        return content + more
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return [*parts, *(more if isinstance(more, list) else [{"type": "text", "text": more}])]


def _add_tool_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """Add a part of a tool call in OpenAI's form: id and name first, the arguments in pieces."""
    index = part.get("index", len(calls))
    call = next((call for call in calls if call["index"] == index), None)
    if call is None:
        calls.append(part | {"index": index, "function": dict(as_dict(part.get("function")))})
        return
    function, more = call["function"], as_dict(part.get("function"))
    function["arguments"] = function.get("arguments", "") + more.get("arguments", "")
