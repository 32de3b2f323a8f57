"""What a scripted model server says to requests for JSON, whole and streamed."""

import json
from typing import Any

from tests.support.fake_model_server import EVENTS, JSON, Reply, chunk, stream_of

EVENT = {"name": "Release party", "date": "2027-03-03", "people": ["Anna", "Ben"]}
FILM: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "maxLength": 40}, "year": {"type": "integer"}},
    "required": ["title", "year"],
    "additionalProperties": False,
}


def said(text: str, finish_reason: str = "stop") -> Reply:
    """Answer in one piece."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 31, "completion_tokens": 9, "total_tokens": 40}
    body = {"choices": [choice], "model": "m", "object": "chat.completion", "usage": usage}
    return Reply(headers=JSON, pieces=[json.dumps(body).encode()])


def has_grammar() -> Reply:
    """Pass the API's look at whether a model can be held to a schema."""
    return said('{"zq": "w7k"}')


def written(value: Any, **changes: Any) -> Reply:
    """Stream a value as JSON, a few characters at a time."""
    text = json.dumps(value)
    return stream_of([text[at : at + 8] for at in range(0, len(text), 8)], **changes)


def cut_off(text: str) -> Reply:
    """Stream a text that ends at the token limit."""
    pieces = [chunk({"content": text}), chunk({}, "length"), b"data: [DONE]\n\n"]
    return Reply(headers=EVENTS, pieces=pieces)


def begun(text: str) -> Reply:
    """Stream a text, and nothing after it."""
    return Reply(headers=EVENTS, pieces=[chunk({"content": text})], end="hang")
