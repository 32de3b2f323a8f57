"""Replies of the fake model server to requests for JSON, streamed and not."""

import json
from typing import Any

from tests.support.fake_model_server import EVENTS, JSON, Reply, chunk, stream_reply

EVENT = {"name": "Release party", "date": "2027-03-03", "people": ["Anna", "Ben"]}
FILM: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "maxLength": 40}, "year": {"type": "integer"}},
    "required": ["title", "year"],
    "additionalProperties": False,
}


def text_reply(text: str, finish_reason: str = "stop") -> Reply:
    """Return a reply that is not streamed."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 31, "completion_tokens": 9, "total_tokens": 40}
    body = {"choices": [choice], "model": "m", "object": "chat.completion", "usage": usage}
    return Reply(headers=JSON, chunks=[json.dumps(body).encode()])


def grammar_probe_reply() -> Reply:
    """Return the reply that passes the API's probe for grammar support."""
    return text_reply('{"zq": "w7k"}')


def json_reply(value: Any, **changes: Any) -> Reply:
    """Stream a value as JSON, eight characters per chunk."""
    text = json.dumps(value)
    return stream_reply([text[start : start + 8] for start in range(0, len(text), 8)], **changes)


def truncated_reply(text: str) -> Reply:
    """Stream a text that ends at the token limit."""
    chunks = [chunk({"content": text}), chunk({}, "length"), b"data: [DONE]\n\n"]
    return Reply(headers=EVENTS, chunks=chunks)


def hanging_reply(text: str) -> Reply:
    """Stream a text, then keep the connection open."""
    return Reply(headers=EVENTS, chunks=[chunk({"content": text})], end="hang")
