"""Maps a model server's error responses to SmolChatErrors.

Bodies are JSON, text, or JSON declared as text; a runner that crashed appends the end of its log,
with paths and the timings of other users' requests. So a client gets our wording, the server's
numbers, and the server's reason only if it is a plain sentence.
"""

import logging
import re
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from backend.errors import (
    ChatTemplateError,
    ContextLengthExceededError,
    InvalidRequestError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    SmolChatError,
    TooManyChoicesError,
    TooManyRequestsError,
)
from backend.json_values import as_count, as_str

logger = logging.getLogger(__name__)

MAX_REASON_CHARACTERS = 300
MAX_LOGGED_BYTES = 4000
# Longer text is truncated before matching: some patterns take quadratic time.
MAX_READ_CHARACTERS = 4000
_MAX_CHOICES = re.compile(r"^Field 'n': Value must be between 1 <= value <= ([1-9]\d{0,3})\b")
_MODEL_MISSING = re.compile(r"model\b.*\b(?:not found|does not exist)", re.DOTALL)
_RUNNER_CRASH = re.compile(
    r"unable to load runner|terminated unexpectedly|not within the file bounds"
)
_LOG_PATH_OR_ADDRESS = re.compile(
    r"(?<!\d)\d+\.\d\d\.\d{3}\.\d{3}|\b(?:slot|srv|llama_\w+) |/\w|\w:\\\w|[\w\]]:\d{2}|\.gguf|<\w"
)
_NOISE = re.compile(r"\[json\.exception\.[\w.]+\] |^.*?(?=JSON schema error)|; tools = \[$")


def log_and_map_error(status: int | None, body: bytes) -> SmolChatError:
    """Return the same as `error_from_response`, and log a failure of the server itself.

    The body is logged only if a runner crashed: other bodies may quote the prompt or the response.
    """
    error = error_from_response(status, body)
    if error.status >= 500:
        text = body[:MAX_LOGGED_BYTES].decode(errors="replace")
        shown = repr(text) if _RUNNER_CRASH.search(text) else f"{len(body)} bytes, not shown"
        logger.warning("the model server failed, status %s: %s", status, shown)
    return error


def error_from_response(status: int | None, body: bytes) -> SmolChatError:
    """Return the error for an error response, or for an error event in a stream (no `status`)."""
    error = _error_from_response(status, body)
    if isinstance(error, InvalidRequestError):
        error.refusal = body[: 4 * MAX_READ_CHARACTERS].decode(errors="replace")
    return error


def _error_from_response(status: int | None, body: bytes) -> SmolChatError:
    details = _details(body)
    message = details["message"][:MAX_READ_CHARACTERS]
    if "n_prompt_tokens" in details or details.get("type") == "exceed_context_size_error":
        return _context_length_error(details)
    if status == 404 and (
        _MODEL_MISSING.search(message) or details.get("code") == "model_not_found"
    ):
        return ModelNotFoundError(
            "The model server does not have this model. Pull it (`docker model pull …`), or "
            "choose one from GET /models.",
            param="model",
        )
    if match := _MAX_CHOICES.search(message):
        return TooManyChoicesError(
            f"The model server returns at most {match[1]} choices per request.",
            max_choices=int(match[1]),
        )
    for pattern, error in _KNOWN_MESSAGES:
        if pattern.search(message):
            return error(_reason(message))
    return _error_by_status(status, _reason(message))


def _details(body: bytes) -> dict[str, Any]:
    """Return the error's fields, wherever the server put them; plain text becomes the message."""
    text = body[: 4 * MAX_READ_CHARACTERS].decode(errors="replace").strip()
    try:
        payload = from_json(body)
    except ValueError:
        return {"message": text}
    error = payload.get("error", payload) if isinstance(payload, dict) else text
    details = error if isinstance(error, dict) else {"message": error}
    return details | {"message": as_str(details.get("message"))}


def _reason(message: str) -> str:
    """Return the first line of the server's message if it is a plain sentence, else ""."""
    first_line = _NOISE.sub("", message.strip().partition("\n")[0]).strip()
    if not first_line.isprintable() or _LOG_PATH_OR_ADDRESS.search(message):
        return ""
    return first_line[:MAX_REASON_CHARACTERS].rstrip(". ")


def _reason_suffix(reason: str) -> str:
    return f": {reason}" if reason else ""


def _context_length_error(details: dict[str, Any]) -> ContextLengthExceededError:
    numbers = {
        name: details[name]
        for name in ("n_prompt_tokens", "n_ctx")
        if as_count(details.get(name)) is not None
    }
    sizes = ""
    if len(numbers) == 2:
        sizes = f" ({numbers['n_prompt_tokens']} tokens, limit {numbers['n_ctx']})"
    return ContextLengthExceededError(
        # LangChain recognizes a context overflow by "prompt is too long".
        f"The prompt is too long for the model's context{sizes}. "
        "Shorten it, start a new chat, or give the model a larger context.",
        param="messages",
        **numbers,
    )


def _error_by_status(status: int | None, reason: str) -> SmolChatError:
    if status is None:
        return ModelServerError(
            "The model server failed during the response. See its log for details."
        )
    if status in (401, 403):
        return ModelServerError("The model server rejected the API key. Check DMR_API_KEY.")
    if status == 404:
        return ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        )
    if status in (408, 429):
        return TooManyRequestsError("The model server is busy. Try again in a few seconds.")
    if 400 <= status < 500:
        return InvalidRequestError(
            f"The model server rejected the request{_reason_suffix(reason)}."
        )
    return ModelServerError(
        f"The model server failed with status {status}. See its log for details."
    )


_KNOWN_MESSAGES: list[tuple[re.Pattern[str], Callable[[str], SmolChatError]]] = [
    (
        re.compile(r"Loading model"),
        lambda _: ModelLoadingError("The model is still loading. Try again in a few seconds."),
    ),
    (
        re.compile(r"maximum context length|exceeds the available context size"),
        lambda _: _context_length_error({}),
    ),
    (
        re.compile(r"image input is not supported|mmproj"),
        lambda _: InvalidRequestError(
            "This model does not support images. Remove them from the messages.", param="messages"
        ),
    ),
    (
        re.compile(r"JSON schema error"),
        lambda reason: InvalidRequestError(
            f"The model server cannot use this schema{_reason_suffix(reason)}.",
            param="response_format",
        ),
    ),
    (
        # llama.cpp returns 500 for these, although the request is invalid.
        re.compile(
            r"^Failed to parse (?:messages|tools)|^Cannot (?:use both|use custom grammar|set both)"
            r"|(?i:failed to parse grammar)|^Unknown reasoning format"
        ),
        lambda reason: InvalidRequestError(
            f"The model server rejected the request{_reason_suffix(reason)}."
        ),
    ),
    (
        re.compile(r"[Jj]inja|chat template"),
        lambda _: ChatTemplateError(
            "This model's chat template does not support these messages. It may require a single "
            "system message at the start, alternating user and assistant messages, or no tools.",
            param="messages",
        ),
    ),
    (
        re.compile(r"corrupted or incomplete|not within the file bounds"),
        lambda _: ModelServerError("The model file is damaged. Delete it and pull it again."),
    ),
    (
        re.compile(r"not enough (?:GPU )?memory|out of memory"),
        lambda _: ModelServerError(
            "The model does not fit into memory. Choose a smaller model or a smaller context."
        ),
    ),
    (
        re.compile(r"unable to load runner"),
        lambda _: ModelServerError(
            "The model server could not load the model. See the API's log for details."
        ),
    ),
    (
        re.compile(r"terminated unexpectedly"),
        lambda _: ModelServerError(
            "The model process crashed during the response. Try again: it restarts automatically."
        ),
    ),
]
