"""What a model server said when it did not answer, turned into an error of ours.

Bodies are JSON, text, or JSON that says it is text; a runner that died adds the end of its log,
with paths and the timings of other people's requests. So a client gets our words, the server's
numbers, and its reason where that is a plain sentence.
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
from backend.json_values import as_count

logger = logging.getLogger(__name__)

MAX_REASON_CHARACTERS = 300
MAX_LOGGED_BYTES = 4000
# What is longer is cut before any pattern sees it: some take the square of its length.
MAX_READ_CHARACTERS = 4000
_MAX_CHOICES = re.compile(r"^Field 'n': Value must be between 1 <= value <= ([1-9]\d{0,3})\b")
_MODEL_MISSING = re.compile(r"model\b.*\b(?:not found|does not exist)", re.DOTALL)
_RUNNER_CRASH = re.compile(
    r"unable to load runner|terminated unexpectedly|not within the file bounds"
)
_LOG_PATH_OR_HOST = re.compile(
    r"(?<!\d)\d+\.\d\d\.\d{3}\.\d{3}|\b(?:slot|srv|llama_\w+) |/\w|\w:\\\w|[\w\]]:\d{2}|\.gguf|<\w"
)
_NOISE = re.compile(r"\[json\.exception\.[\w.]+\] |^.*?(?=JSON schema error)|; tools = \[$")


def log_and_map_error(status: int | None, body: bytes) -> SmolChatError:
    """As `refusal`; of a failure of the server's own, our log has more.

    It has what was said in full only where a model was lost: in all else a server may quote what it
    was asked, or what it was about to answer.
    """
    error = error_from_response(status, body)
    if error.status >= 500:
        said = body[:MAX_LOGGED_BYTES].decode(errors="replace")
        told = repr(said) if _RUNNER_CRASH.search(said) else f"{len(body)} bytes, not shown"
        logger.warning("the model server failed, status %s: %s", status, told)
    return error


def error_from_response(status: int | None, body: bytes) -> SmolChatError:
    """Give the error that an answer other than a good one stands for.

    `status` is the HTTP status, or None for what was said in the middle of a stream.
    """
    details = _details(body)
    said = details["message"][:MAX_READ_CHARACTERS]
    if "n_prompt_tokens" in details or details.get("type") == "exceed_context_size_error":
        return _context_length_error(details)
    if status == 404 and (_MODEL_MISSING.search(said) or details.get("code") == "model_not_found"):
        return ModelNotFoundError(
            "The model server does not have this model. Pull it there (`docker model pull …`), or "
            "choose one that GET /models lists.",
            param="model",
        )
    if few := _MAX_CHOICES.search(said):
        return TooManyChoicesError(
            f"The model server gives at most {few[1]} answers at once.", most=int(few[1])
        )
    for pattern, error in _KNOWN_MESSAGES:
        if pattern.search(said):
            return error(_reason(said))
    return _error_by_status(status, _reason(said))


def _details(body: bytes) -> dict[str, Any]:
    """Find the error's fields, wherever the server put them; all that is text is its message."""
    text = body[: 4 * MAX_READ_CHARACTERS].decode(errors="replace").strip()
    try:
        parsed = from_json(body)
    except ValueError:
        return {"message": text}
    inner = parsed.get("error", parsed) if isinstance(parsed, dict) else text
    details = inner if isinstance(inner, dict) else {"message": inner}
    said = details.get("message")
    return details | {"message": said if isinstance(said, str) else ""}


def _reason(said: str) -> str:
    """Give what the server said if it is a plain sentence, else nothing."""
    line = _NOISE.sub("", said.strip().partition("\n")[0]).strip()
    if not line.isprintable() or _LOG_PATH_OR_HOST.search(said):
        return ""
    return line[:MAX_REASON_CHARACTERS].rstrip(". ")


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
        sizes = f" ({numbers['n_prompt_tokens']} tokens, room for {numbers['n_ctx']})"
    return ContextLengthExceededError(
        # LangChain knows an overflow by "prompt is too long".
        f"The prompt is too long for the model's context{sizes}. "
        "Shorten it, start a new chat, or give the model a larger context.",
        param="messages",
        **numbers,
    )


def _error_by_status(status: int | None, reason: str) -> SmolChatError:
    if status is None:
        return ModelServerError("The model server failed in its answer. Its own log says why.")
    if status in (401, 403):
        return ModelServerError(
            "The model server refused the key. Set DMR_API_KEY to one it takes."
        )
    if status == 404:
        return ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        )
    if status in (408, 429):
        return TooManyRequestsError("The model server is busy. Try again in a few seconds.")
    if 400 <= status < 500:
        return InvalidRequestError(f"The model server refused the request{_reason_suffix(reason)}.")
    return ModelServerError(f"The model server failed with status {status}. Its own log says why.")


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
            "This model reads text only: leave images out.", param="messages"
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
        # llama.cpp answers 500 to these, though the request is at fault.
        re.compile(
            r"^Failed to parse (?:messages|tools)|^Cannot (?:use both|use custom grammar|set both)"
            r"|(?i:failed to parse grammar)|^Unknown reasoning format"
        ),
        lambda reason: InvalidRequestError(
            f"The model server refused the request{_reason_suffix(reason)}."
        ),
    ),
    (
        re.compile(r"[Jj]inja|chat template"),
        lambda _: ChatTemplateError(
            "This model's template does not allow these messages: it may want one system message "
            "in front, user and assistant in turns, or no tools.",
            param="messages",
        ),
    ),
    (
        re.compile(r"corrupted or incomplete|not within the file bounds"),
        lambda _: ModelServerError("The model's file is damaged. Remove it and pull it again."),
    ),
    (
        re.compile(r"not enough (?:GPU )?memory|out of memory"),
        lambda _: ModelServerError(
            "The model does not fit into memory. Choose a smaller one or a smaller context."
        ),
    ),
    (
        re.compile(r"unable to load runner"),
        lambda _: ModelServerError(
            "The model server could not load the model. The API's log has what it said."
        ),
    ),
    (
        re.compile(r"terminated unexpectedly"),
        lambda _: ModelServerError(
            "The model's process ended while it answered. Try again: it is started anew."
        ),
    ),
]
