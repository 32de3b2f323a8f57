"""Build the request that is sent to the model server."""

import random
import re
from collections.abc import Iterable
from typing import Any

from backend.completions.history import is_plain_answer, prepare_messages
from backend.errors import ContextLengthExceededError, InvalidRequestError
from backend.json_values import content_text
from backend.model_server.client import ModelServerClient
from backend.protocol import MAX_PENALTY_WINDOW, CompletionRequest, ExtensionOptions
from backend.settings import Settings

# In order of precedence: only the first one that a client set is sent.
_TOKEN_LIMITS = ("max_completion_tokens", "max_tokens", "n_predict")
# Words of any refusal, which do not say that the field of this name was refused.
_COMMON_FIELDS = {"messages", "model", "stream", "stop"}


def build_upstream_request(request: CompletionRequest, settings: Settings) -> dict[str, Any]:
    """Return the body to send: what the client set, and one `model`."""
    fields = request.model_dump(mode="json", exclude_unset=True)
    body = {name: value for name, value in fields.items() if value is not None}
    body.pop("smolchat", None)
    if (choices := body.pop("n_cmpl", None)) is not None:
        body.setdefault("n", choices)
    body["model"] = request.model or settings.model_id
    body["stream"] = bool(request.stream)  # some servers stream unless told not to
    limits = [name for name in _TOKEN_LIMITS if name in body]
    for name in limits[1:]:
        del body[name]
    for name in ("repeat_last_n", "dry_penalty_last_n"):
        if body.get(name) == -1:  # the whole context; newer llama.cpp refuses the number
            body[name] = MAX_PENALTY_WINDOW
    messages = body["messages"]
    if any(
        type(m.get("content")) is not str
        or None in m.values()
        or not (m["role"] in ("user", "system") or is_plain_answer(m))
        for m in messages
    ):
        body["messages"] = prepare_messages(messages)
    return body


def token_limit(body: dict[str, Any]) -> int | None:
    """Return how many tokens the client lets the model write, or None: as many as it likes."""
    limit = next((body[name] for name in _TOKEN_LIMITS if name in body), None)
    return limit if limit is not None and limit > 0 else None


def added_fields(
    body: dict[str, Any],
    options: ExtensionOptions,
    server: ModelServerClient,
    *,
    wants_usage: bool = False,
) -> dict[str, Any]:
    """Return the fields that are sent besides the client's: for the options, and a token limit.

    A small model can repeat itself until the context is full, and llama.cpp has no limit by
    default. Servers that count the limit against the context would refuse ours.
    """
    fields: dict[str, Any] = {}
    if server.discovery.is_unbounded and body.keys().isdisjoint(_TOKEN_LIMITS):
        fields["max_tokens"] = server.default_max_tokens
    if body["stream"] and (options.receipt or wants_usage):
        fields["stream_options"] = body.get("stream_options", {}) | {"include_usage": True}
    if options.receipt and body.get("seed", -1) == -1:
        fields["seed"] = random.randrange(2**31)  # noqa: S311  # not a secret
    if server.discovery.is_llama_cpp:
        if options.deterministic:
            fields["cache_prompt"] = False
        if options.progress and body["stream"]:
            fields["return_progress"] = True
    if fields and (refused := server.refused_fields.get(body["model"])):
        return {name: value for name, value in fields.items() if name not in refused}
    return fields


def refused_fields(
    error: InvalidRequestError,
    body: dict[str, Any],
    added: dict[str, Any],
    *,
    knows_fields: bool,
) -> set[str]:
    """Return those of the `added` fields without which a server may take the request it refused.

    If the refusal names a field of the client's and none of them, it is the client's to mend, and
    so it is if it names none but the server `knows_fields` like ours.
    """
    if isinstance(error, ContextLengthExceededError):
        return {"max_tokens"} & added.keys() if error.param == "max_tokens" else set()
    if named := _named(error.refusal, added.keys()):
        return named
    is_unnamed = not _named(error.refusal, body.keys() - _COMMON_FIELDS)
    return set(added) if is_unnamed and not knows_fields else set()


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


def _named(refusal: str, fields: Iterable[str]) -> set[str]:
    """Return the fields that a refusal names."""
    words = set(re.findall(r"\w+", refusal))
    if "include_usage" in words:
        words.add("stream_options")
    return {name for name in fields if name in words}
