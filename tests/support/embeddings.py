"""What a scripted model server sends as embeddings: words with one meaning have one vector."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.fake_model_server import JSON, FakeModelServer, Reply

ROUTE = "/engines/llama.cpp/v1/embeddings"
MEANINGS = (
    {"physician", "doctor", "surgeon"},
    {"salary", "wage", "earned", "paid"},
    {"automobile", "car", "vehicle"},
    {"vessel", "ship", "boat"},
)


def vector_of(text: str) -> list[float]:
    """Return how many words of the text have each meaning, and a little of what all texts have."""
    words = re.findall(r"\w+", text.lower())
    return [float(sum(word in meaning for word in words)) for meaning in MEANINGS] + [0.1]


def embeddings_reply(vectors: Sequence[Sequence[float]]) -> Reply:
    data = [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(vectors)]
    body = {"object": "list", "model": "any", "data": list(reversed(data))}
    return Reply(chunks=[json.dumps(body).encode()])


def embed_texts(body: dict[str, Any]) -> Reply:
    return embeddings_reply([vector_of(text) for text in body["input"]])


def serve_embeddings(
    model_server: FakeModelServer, answer: Callable[[dict[str, Any]], Reply] = embed_texts
) -> None:
    model_server.posted_routes[ROUTE] = answer


def embedded_texts(model_server: FakeModelServer) -> list[str]:
    """Return the texts of all requests so far."""
    requests = [request for request in model_server.requests if request.path == ROUTE]
    return [text for request in requests for text in request.body["input"]]


def error_reply(status: int, message: str = "It failed.") -> Reply:
    return Reply(status, JSON, [json.dumps({"error": {"message": message}}).encode()])
