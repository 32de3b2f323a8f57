"""Our request turned into the model server's."""

from typing import Any

from backend.openai_types import ChatRequest
from backend.settings import Settings


def to_model_request(request: ChatRequest, settings: Settings) -> dict[str, Any]:
    """Give the body to send upstream.

    Only what the client set, and always one `model` and one `max_tokens`: llama.cpp's own default
    has no end, and a small model can repeat itself until the context is full.
    """
    sent = request.model_dump(mode="json", exclude_unset=True)
    body = {name: value for name, value in sent.items() if value is not None}
    body.pop("smolchat", None)
    asked_tokens = body.pop("max_completion_tokens", None) or body.get("max_tokens")
    body["model"] = request.model or settings.model_id
    body["max_tokens"] = asked_tokens or settings.max_tokens
    for message in body["messages"]:
        # The same thing under OpenAI's newer name, which templates of small models do not know.
        if message["role"] == "developer":
            message["role"] = "system"
    return body
