"""Chat requests shared by tests, and how they are sent."""

from typing import Any

import httpx

from tests.support.sse import parse_chunks

MODEL_ID = "ai/smollm2:latest"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}


def complete(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return the whole completion that a request to /chat is answered with."""
    response = client.post("/chat", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def stream(client: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the chunks that a request to /chat is answered with."""
    response = client.post("/chat", json=body | {"stream": True})
    assert response.status_code == 200, response.text
    return parse_chunks(response.text)
