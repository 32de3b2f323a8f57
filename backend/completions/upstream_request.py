"""Build the request that is sent to the model server."""

import random
from typing import Any

from backend.json_values import content_text
from backend.protocol import MAX_PENALTY_WINDOW, CompletionRequest, ExtensionOptions
from backend.settings import Settings

# In order of precedence; all are removed so that llama.cpp's `n_predict` cannot override ours.
_TOKEN_LIMITS = ("max_completion_tokens", "max_tokens", "n_predict")


def build_upstream_request(request: CompletionRequest, settings: Settings) -> dict[str, Any]:
    """Return the body to send: what the client set, one `model` and one `max_tokens`.

    llama.cpp has no limit by default, and a small model can repeat itself until the context is
    full. -1 means no limit there.
    """
    fields = request.model_dump(mode="json", exclude_unset=True)
    body = {name: value for name, value in fields.items() if value is not None}
    if body.pop("smolchat", {}).get("receipt"):
        _request_usage_and_seed(body)
    if (choices := body.pop("n_cmpl", None)) is not None:
        body.setdefault("n", choices)
    body["model"] = request.model or settings.model_id
    limits = [body.pop(name, None) for name in _TOKEN_LIMITS]
    body["max_tokens"] = next((n for n in limits if n and n > 0), settings.max_tokens)
    for name in ("repeat_last_n", "dry_penalty_last_n"):
        if body.get(name) == -1:  # the whole context; newer llama.cpp refuses the number
            body[name] = MAX_PENALTY_WINDOW
    for message in body["messages"]:
        # OpenAI's newer name for the same role, which templates of small models do not know.
        if message["role"] == "developer":
            message["role"] = "system"
    return body


def llama_cpp_fields(body: dict[str, Any], options: ExtensionOptions) -> dict[str, Any]:
    """Return the llama.cpp-specific fields that the options need."""
    fields = {"cache_prompt": False} if options.deterministic else {}
    if options.progress and body.get("stream"):
        fields["return_progress"] = True
    return fields


def merge_system_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with all system messages merged into one at the start.

    Some templates accept no other: https://github.com/docker/docker-agent/issues/2327
    """
    system = [message for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    if not system:
        return messages
    texts = [content_text(message["content"]) for message in system]
    return [{"role": "system", "content": "\n\n".join(texts)}, *others]


def _request_usage_and_seed(body: dict[str, Any]) -> None:
    """Ask for usage at the end of a stream, and set a seed, so that the receipt has them."""
    if body.get("stream"):
        body["stream_options"] = body.get("stream_options", {}) | {"include_usage": True}
    if body.get("seed", -1) == -1:
        body["seed"] = random.randrange(2**31)  # noqa: S311  # not a secret
