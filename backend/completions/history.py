"""Prepare the messages of a request, so that every model server and chat template takes them.

They may be anything that an OpenAI server has answered, as clients send it back.
"""

from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str, content_text
from backend.model_server.answers.json_text import dump_json
from backend.model_server.answers.reasoning import (
    REASONING_FIELDS,
    may_have_tags,
    part_kind,
    parts_of,
    separate,
)

# Fields of answers that no request needs. Reasoning is the model's own, about that one answer.
_ANSWER_FIELDS = {*REASONING_FIELDS, "refusal", "annotations", "function_call", "tool_calls"}
_Ids = list[tuple[str, str]]  # of the calls without a result yet, with the names of their functions


def is_plain_answer(message: dict[str, Any]) -> bool:
    """Return True if a message with text is an answer that is sent as it is, as most are."""
    has_text_only = message["role"] == "assistant" and len(message) == 2
    return has_text_only and not may_have_tags(message["content"])


def prepare_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages as they are sent to the model server; fields that are null are left out.

    A message without content gets an empty one: it is not left out, since many chat templates want
    user and assistant in turns. The last message, if it is the assistant's, is one to be continued,
    so its text stays as it is.
    """
    prepared: list[dict[str, Any]] = []
    open_calls: _Ids = []
    for position, message in enumerate(messages):
        fields = {name: value for name, value in message.items() if value is not None}
        role = message["role"]
        if role == "assistant":
            is_last = position == len(messages) - 1
            fields = _prepare_answer(fields, position, is_last=is_last)
            open_calls += [
                (as_str(as_dict(call.get("function")).get("name")), as_str(call.get("id")))
                for call in fields.get("tool_calls", ())
            ]
        elif role in ("tool", "function"):
            fields = _prepare_result(fields, open_calls)
        else:
            fields = _prepare_prompt(fields)
        prepared.append(fields)
    return prepared


def continued_answer(messages: list[dict[str, Any]]) -> str:
    """Return the unfinished answer that the model is to continue, or an empty string."""
    last = messages[-1]
    return content_text(last.get("content")) if last["role"] == "assistant" else ""


def _prepare_prompt(message: dict[str, Any]) -> dict[str, Any]:
    # OpenAI's newer name for the same role, which templates of small models do not know.
    role = "system" if message["role"] == "developer" else message["role"]
    content = message["content"]
    if isinstance(content, list):
        content = [
            part | {"text": ""} if "text" in part and part["text"] is None else part
            for part in content
        ]
    return message | {"role": role, "content": content}


def _prepare_answer(message: dict[str, Any], position: int, *, is_last: bool) -> dict[str, Any]:
    fields = {name: value for name, value in message.items() if name not in _ANSWER_FIELDS}
    content = message.get("content")
    if not (is_last and isinstance(content, str)):
        fields["content"] = _answer_content(message)
    calls = as_dict_list(message.get("tool_calls"))
    if not calls and (function := as_dict(message.get("function_call"))):
        calls = [{"function": function}]  # OpenAI's form of 2023
    if calls:
        fields["tool_calls"] = [
            _prepare_call(call, f"call{position:03}{number:02}")
            for number, call in enumerate(calls)
        ]
    return fields


def _answer_content(message: dict[str, Any]) -> str | list[Any]:
    """Return the content without reasoning: its text, unless it has other parts."""
    content = message.get("content")
    if isinstance(content, list) and not all(map(_is_text, content)):
        return [part for part in content if not _is_reasoning(part)]
    parts = list(parts_of(message))
    text, _ = separate("".join(part.text for part in parts if part.kind == "text"))
    return text or "".join(part.text for part in parts if part.kind == "refusal")


def _prepare_call(call: dict[str, Any], default_id: str) -> dict[str, Any]:
    """Return a tool call with an id, a type, and arguments that are JSON text."""
    fields = {name: value for name, value in call.items() if name != "index" and value is not None}
    fields = {"id": default_id, "type": "function"} | fields
    if isinstance(function := call.get("function"), dict):
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = dump_json({} if arguments is None else arguments).decode()
        fields["function"] = function | {"arguments": arguments or "{}"}
    return fields


def _prepare_result(message: dict[str, Any], open_calls: _Ids) -> dict[str, Any]:
    """Return the result of a tool call, which is text, with the id of its call."""
    fields = message | {"role": "tool", "content": _result_content(message.get("content", ""))}
    name = as_str(message.get("name"))
    call_id = as_str(message.get("tool_call_id"))
    for call in open_calls:
        if call[1] == call_id or (not call_id and name in ("", call[0])):
            open_calls.remove(call)
            fields["tool_call_id"] = call[1]
            break
    return fields


def _result_content(content: Any) -> str | list[Any]:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        if all(map(_is_text, content)):
            return content_text(content)
        if all(as_str(as_dict(part).get("type")) for part in content):
            return content
    return dump_json(content).decode()


def _is_text(part: Any) -> bool:
    """Return True unless a content part has something else, such as an image."""
    is_text = as_str(as_dict(part).get("type")) in ("text", "output_text", "refusal")
    return is_text or _is_reasoning(part)


def _is_reasoning(part: Any) -> bool:
    return part_kind(as_dict(part)) == "reasoning"
