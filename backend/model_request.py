"""Our request turned into the model server's."""

from typing import Any

from backend.openai_types import MAX_LOOK_BACK, ChatRequest
from backend.settings import Settings


def to_model_request(request: ChatRequest, settings: Settings) -> dict[str, Any]:
    """Give the body to send upstream.

    Only what the client set, and always one `model` and one `max_tokens`: llama.cpp's own default
    has no end, and a small model can repeat itself until the context is full.
    """
    sent = request.model_dump(mode="json", exclude_unset=True)
    body = {name: value for name, value in sent.items() if value is not None}
    body.pop("smolchat", None)
    body["model"] = request.model or settings.model_id
    body["max_tokens"] = _max_tokens(body) or settings.max_tokens
    for name in ("repeat_last_n", "dry_penalty_last_n"):
        if body.get(name) == -1:  # the whole context; newer llama.cpp refuses the number
            body[name] = MAX_LOOK_BACK
    for message in body["messages"]:
        # The same thing under OpenAI's newer name, which templates of small models do not know.
        if message["role"] == "developer":
            message["role"] = "system"
    return body


def _max_tokens(body: dict[str, Any]) -> int | None:
    """Take out all names of the limit; llama.cpp's own, with -1 for none, would beat ours."""
    asked = [body.pop(name, None) for name in ("max_completion_tokens", "max_tokens", "n_predict")]
    return next((tokens for tokens in asked if tokens and tokens > 0), None)
