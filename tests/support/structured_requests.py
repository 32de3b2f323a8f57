"""Requests to /structured, and the model server's scripted replies to them."""

import json
from dataclasses import replace
from typing import Any

import httpx

from tests.support.fake_model_server import Reply, chunk, stream_reply

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}
ANN = '{"age": 31, "name": "Ann"}'
# Replies of a model server with and without grammar support to the probe for it.
PROBE_PASSED = Reply(
    chunks=[json.dumps({"choices": [{"message": {"content": '{"zq": "w7k"}'}}]}).encode()]
)
PROBE_FAILED = Reply(
    chunks=[json.dumps({"choices": [{"message": {"content": "Hello!"}}]}).encode()]
)


def structured_request(schema: Any = PERSON, **fields: Any) -> dict[str, Any]:
    definition = {"name": "person", "schema": schema}
    response_format = {"type": "json_schema", "json_schema": definition}
    messages = [{"role": "user", "content": "Ann is 31."}]
    return {"messages": messages, "response_format": response_format} | fields


def stream_text(text: str, finish_reason: str = "stop") -> Reply:
    """Stream a text in chunks of four characters."""
    reply = stream_reply([text[start : start + 4] for start in range(0, len(text), 4)])
    stop, last = chunk({}, "stop"), chunk({}, finish_reason)
    return replace(reply, chunks=[last if data == stop else data for data in reply.chunks])


def post(url: str, body: dict[str, Any]) -> Any:
    """Return the status and the JSON of the response."""
    response = httpx.post(f"{url}/structured", json=body, timeout=60)
    return response.status_code, response.json()
