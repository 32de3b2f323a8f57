"""What many tests ask of /structured, and what a scripted model server says to it."""

import json
from dataclasses import replace
from typing import Any

import httpx

from tests.support.fake_model_server import Reply, chunk, stream_of

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}
ANN = '{"age": 31, "name": "Ann"}'
# What a model server that knows grammars says to the question that finds that out.
PROBED = Reply(
    pieces=[json.dumps({"choices": [{"message": {"content": '{"zq": "w7k"}'}}]}).encode()]
)
UNPROBED = Reply(pieces=[json.dumps({"choices": [{"message": {"content": "Hello!"}}]}).encode()])


def asked(schema: Any = PERSON, **fields: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    messages = [{"role": "user", "content": "Ann is 31."}]
    return {"messages": messages, "response_format": form} | fields


def said(text: str, finish_reason: str = "stop") -> Reply:
    """Stream a text in pieces that fall anywhere."""
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    reply = stream_of(pieces)
    end = chunk({}, finish_reason)
    kept = [piece for piece in reply.pieces if b'"finish_reason":"stop"' not in piece]
    return replace(reply, pieces=[*kept[:-2], end, *kept[-2:]])


def post(url: str, body: dict[str, Any]) -> Any:
    answer = httpx.post(f"{url}/structured", json=body, timeout=60)
    return answer.status_code, answer.json()
