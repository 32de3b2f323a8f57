"""Our request turned into the model server's."""

import random
from typing import Any

from backend.json_values import content_text
from backend.protocol import MAX_PENALTY_WINDOW, CompletionRequest, ExtensionOptions
from backend.settings import Settings


def build_upstream_request(request: CompletionRequest, settings: Settings) -> dict[str, Any]:
    """Give the body to send upstream.

    Only what the client set, and always one `model` and one `max_tokens`: llama.cpp's own default
    has no end, and a small model can repeat itself until the context is full.
    """
    sent = request.model_dump(mode="json", exclude_unset=True)
    body = {name: value for name, value in sent.items() if value is not None}
    options = body.pop("smolchat", {})
    if options.get("receipt"):
        _request_usage_and_seed(body)
    if (answers := body.pop("n_cmpl", None)) is not None:
        body.setdefault("n", answers)
    body["model"] = request.model or settings.model_id
    body["max_tokens"] = _max_tokens(body) or settings.max_tokens
    for name in ("repeat_last_n", "dry_penalty_last_n"):
        if body.get(name) == -1:  # the whole context; newer llama.cpp refuses the number
            body[name] = MAX_PENALTY_WINDOW
    for message in body["messages"]:
        # The same thing under OpenAI's newer name, which templates of small models do not know.
        if message["role"] == "developer":
            message["role"] = "system"
    return body


def llama_cpp_fields(body: dict[str, Any], options: ExtensionOptions) -> dict[str, Any]:
    """Give what makes llama.cpp do what the options ask for."""
    fields = {"cache_prompt": False} if options.deterministic else {}
    if options.progress and body.get("stream"):
        fields["return_progress"] = True
    return fields


def merge_system_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the messages with all that is the system's in one, in front.

    Some templates take no other: https://github.com/docker/docker-agent/issues/2327
    """
    spoken = [message for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    if not spoken:
        return messages
    texts = [content_text(message["content"]) for message in spoken]
    return [{"role": "system", "content": "\n\n".join(texts)}, *others]


def _request_usage_and_seed(body: dict[str, Any]) -> None:
    """Have usage told at the end, and draw a seed here where none was set, so that it is known."""
    if body.get("stream"):
        body["stream_options"] = body.get("stream_options", {}) | {"include_usage": True}
    if body.get("seed", -1) == -1:
        body["seed"] = random.randrange(2**31)  # noqa: S311  # nothing is kept secret with it


def _max_tokens(body: dict[str, Any]) -> int | None:
    """Take out all names of the limit; llama.cpp's own, with -1 for none, would beat ours."""
    asked = [body.pop(name, None) for name in ("max_completion_tokens", "max_tokens", "n_predict")]
    return next((tokens for tokens in asked if tokens and tokens > 0), None)
