"""Replies of a model server to requests with tools."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.fake_model_server import (
    DONE,
    EVENTS,
    JSON,
    MODEL_PATH,
    Reply,
    chunk,
    stream_reply,
)

Json = dict[str, Any]

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}

# The model writes its arguments: no text has them as they are.
BOOKING: Json = {
    "type": "function",
    "function": {
        "name": "book_table",
        "description": "Book a table in a restaurant.",
        "parameters": {
            "type": "object",
            "properties": {
                "booking": {
                    "type": "object",
                    "properties": {"note": {"type": "string"}, "guests": {"type": "integer"}},
                    "required": ["note", "guests"],
                    "additionalProperties": False,
                }
            },
            "required": ["booking"],
            "additionalProperties": False,
        },
    },
}
BOOKED: Json = {"booking": {"note": "by the window", "guests": 2}}


def call_reply(*calls: tuple[str, Any], text: str = "") -> Reply:
    """Return a stream in which the model calls functions, with their arguments in pieces."""
    deltas: list[Json] = [{"role": "assistant", "content": None}]
    deltas += [{"content": text}] if text else []
    for index, (name, arguments) in enumerate(calls):
        raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
        head = {"index": index, "id": f"call_{name}_{index}", "type": "function"}
        function = {"name": name, "arguments": ""}
        deltas.append({"tool_calls": [head | {"function": function}]})
        for start in range(0, len(raw), 7):
            piece = {"index": index, "function": {"arguments": raw[start : start + 7]}}
            deltas.append({"tool_calls": [piece]})
    chunks = [*map(chunk, deltas), chunk({}, "tool_calls"), _usage(), DONE]
    return Reply(headers=EVENTS, chunks=chunks)


# A call of the API's calculator, its result, and an answer with it.
SUM = ("calculator", {"expression": "12 * 7"})
RESULT = "12 * 7 = 84"
ANSWER = stream_reply(["It is ", "84."])


def json_reply(value: Any) -> Reply:
    """Return a whole answer whose text is JSON, or what `value` is if it is text."""
    text = value if isinstance(value, str) else json.dumps(value)
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59}
    response = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL_PATH}
    body = response | {"choices": choices, "usage": usage}
    return Reply(headers=JSON, chunks=[json.dumps(body).encode()])


def calls_of(chunks: Sequence[Json]) -> list[Json]:
    """Join the pieces of tool calls in a stream; each must be in OpenAI's form."""
    calls: list[Json] = []
    for piece in (
        call
        for each in chunks
        for choice in each["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ):
        if piece["index"] == len(calls):
            assert piece["id"], "the first piece has the id"
            assert piece["function"]["name"], "the first piece has the name"
            calls.append({"id": piece["id"], "name": piece["function"]["name"], "arguments": ""})
        assert piece["index"] == len(calls) - 1, "one call after the other"
        calls[-1]["arguments"] += piece["function"]["arguments"]
    return calls


def _usage() -> bytes:
    usage = {"prompt_tokens": 31, "completion_tokens": 12, "total_tokens": 43}
    event = {"choices": [], "model": MODEL_PATH, "object": "chat.completion.chunk", "usage": usage}
    return b"data: " + json.dumps(event).encode() + b"\n\n"
