"""Maps a model server's error responses to SmolChatErrors.

A client gets our wording, the server's numbers, and the server's reasons as a plain sentence. Whose
fault an error is follows from what the server says, then from the status.
"""

import logging
import re
from collections.abc import Callable

from backend.errors import (
    ChatTemplateError,
    InvalidRequestError,
    ModelLoadingError,
    ModelOutputUnreadableError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    RequestTooLargeError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.choice_limit import choice_limit
from backend.model_server.context_overflow import context_overflow
from backend.model_server.error_body import ErrorBody, read_error_body
from backend.model_server.error_status import effective_status
from backend.model_server.load_failure import is_crash, load_failure, runtime_failure
from backend.model_server.missing_model import missing_model, missing_model_by_code
from backend.model_server.plain_sentence import join_sentences

logger = logging.getLogger(__name__)

MAX_LOGGED_BYTES = 6000


def log_and_map_error(status: int | None, body: bytes) -> SmolChatError:
    """Return the same as `error_from_response`, and log a failure of the server itself.

    The body is logged only if a model did not start or crashed: other bodies may quote the prompt
    or the response.
    """
    error = error_from_response(status, body)
    if error.status >= 500:
        text = body[:MAX_LOGGED_BYTES].decode(errors="replace")
        is_log = is_crash(text) and not isinstance(error, ModelOutputUnreadableError)
        shown = repr(text) if is_log else f"{len(body)} bytes, not shown"
        logger.warning("the model server failed, status %s: %s", status, shown)
    return error


def error_from_response(status: int | None, body: bytes) -> SmolChatError:
    """Return the error for an error response, or for an error event in a stream (no `status`)."""
    said = read_error_body(body)
    error = _error_from_text(status, said) or _error_from_status(status, said)
    if isinstance(error, InvalidRequestError):
        error.refusal = said.text
        error.param = error.param or said.param
    elif isinstance(error, ModelServerError):
        error.is_reported = True
    return error


def _error_from_text(status: int | None, said: ErrorBody) -> SmolChatError | None:
    """Return the error that the server describes by its words or a code of its own, if any."""
    is_about_key = status in (401, 402, 403, 407)
    error = _first_match(_QUOTING_MESSAGES, said) or missing_model(said) or load_failure(said.text)
    if error or is_about_key:
        return error
    return (
        missing_model_by_code(status, said)
        or runtime_failure(said.text)
        or choice_limit(said.param, said.message)
        or context_overflow(said.text, said.counts)
        or _first_match(_KNOWN_MESSAGES, said)
    )


def _first_match(
    table: list[tuple[re.Pattern[str], Callable[[str], SmolChatError]]], said: ErrorBody
) -> SmolChatError | None:
    for pattern, error in table:
        if pattern.search(said.message):
            return error(_reason(said))
    return None


def _reason(said: ErrorBody) -> str:
    """Return what the server said as ": a plain sentence", or ""."""
    reason = join_sentences([str(reason) for reason in said.reasons])
    return f": {reason}" if reason else ""


def _error_from_status(status: int | None, said: ErrorBody) -> SmolChatError:
    """Return the error for what no words explain; `status` is None for an event in a stream."""
    reason = _reason(said)
    if status in (404, 405):
        return ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        )
    effective = effective_status(status, said.labels) or (400 if said.names_fields else None)
    is_failure = effective is None or effective >= 500
    if effective in (408, 429, 529) or (is_failure and _BUSY.search(said.message)):
        return TooManyRequestsError(
            f"The model server is busy{reason}. Try again in a few seconds."
        )
    if error := _ERRORS_BY_STATUS.get(effective):
        return error(reason)
    if status is None:
        return ModelServerError(
            f"The model server failed during the response{reason}. See its log for details."
        )
    return ModelServerError(
        f"The model server failed with status {status}{reason}. See its log for details."
    )


def _rejected(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"The model server rejected the request{reason}.")


def _bad_key(_reason: str) -> ModelServerError:
    return ModelServerError("The model server rejected the API key. Check DMR_API_KEY.")


def proxy_password_error() -> ModelServerError:
    """Return the error for status 407, which comes from a proxy and not from the model server."""
    return ModelServerError(
        "The proxy of the model server requires a user and a password. Set them in the proxy's "
        "URL, as in HTTPS_PROXY=http://user:password@proxy.example:3128."
    )


def _no_credit(reason: str) -> ModelServerError:
    return ModelServerError(
        f"The account at the model server has no credit left{reason}. Check its plan."
    )


def _unreadable(_reason: str) -> ModelOutputUnreadableError:
    return ModelOutputUnreadableError(
        "The model wrote an answer or a tool call that the model server could not read. Try "
        "again, or choose other tools or another model."
    )


_ERRORS_BY_STATUS: dict[int | None, Callable[[str], SmolChatError]] = {
    400: _rejected,
    401: _bad_key,
    402: _no_credit,
    403: lambda reason: ModelServerError(
        f"The model server denied access{reason}. Check DMR_API_KEY."
    ),
    407: lambda _reason: proxy_password_error(),
    413: lambda reason: RequestTooLargeError(
        f"The request is too large for the model server{reason}. Send fewer or shorter messages."
    ),
    422: _rejected,
    503: lambda reason: ModelServerError(
        f"The model server is not available at the moment{reason}. Try again in a few seconds."
    ),
    504: lambda reason: ModelServerTimeoutError(
        f"The model server did not respond in time{reason}. Try again."
    ),
}
# Proxies in front of a server.
_ERRORS_BY_STATUS[524] = _ERRORS_BY_STATUS[504]

_BUSY = re.compile(
    r"\boverloaded\b|\b(?:is|server|too) busy\b|\brate limit|too many requests"
    r"|pending requests exceeded|no (?:free |available )?slots?\b|at capacity",
    re.IGNORECASE,
)
# These quote the request or the model's output, which may hold any words.
_QUOTING_MESSAGES: list[tuple[re.Pattern[str], Callable[[str], SmolChatError]]] = [
    (
        re.compile(r"^Failed to parse tool call arguments as JSON|^invalid tool call arguments"),
        lambda _: InvalidRequestError(
            "The arguments of a tool call in the messages are not valid JSON.", param="messages"
        ),
    ),
    (
        # llama.cpp, Ollama, Groq, vLLM with gpt-oss
        re.compile(
            r"produced output that does not match the expected|^Invalid diff: "
            r"|^(?:Failed|Unable) to parse (?:input|tool call|(?:the )?(?:model'?s? )?output)"
            r"|^error (?:in )?parsing tool call|See 'failed_generation'|^Tool use failed"
            r"|generated output that could not be parsed|malformed function call"
            r"|while expecting start token|tokens remaining in message header",
            re.IGNORECASE,
        ),
        _unreadable,
    ),
    (
        # llama.cpp returns 500 for these, although the request is invalid.
        re.compile(
            r"^Failed to parse (?:messages|tools)|^Cannot (?:use both|use custom grammar|set both)"
            r"|(?i:failed to parse grammar)|^Unknown reasoning format"
        ),
        _rejected,
    ),
]
_KNOWN_MESSAGES: list[tuple[re.Pattern[str], Callable[[str], SmolChatError]]] = [
    (
        re.compile(
            r"^Loading model|(?i:\b(?:model|server)\b.{0,200} is (?:currently |still )?"
            r"(?:loading|being loaded|warming up|starting up))"
        ),
        lambda _: ModelLoadingError("The model is still loading. Try again in a few seconds."),
    ),
    (
        re.compile(r"Unexpected endpoint or method"),  # LM Studio, with status 200
        lambda _: ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        ),
    ),
    (
        re.compile(
            r"\bAPI[ _-]?key (?:is )?(?:not valid|invalid|missing|expired)"
            r"|\b(?:invalid|incorrect|expired) API[ _-]?key",
            re.IGNORECASE,
        ),
        _bad_key,
    ),
    (
        re.compile(
            r"\bcredit balance\b|\binsufficient (?:balance|credits?|quota|funds)\b"
            r"|exceeded your current quota",
            re.IGNORECASE,
        ),
        _no_credit,
    ),
    (
        re.compile(r"image input is not supported|mmproj|does not support (?:image|vision)"),
        lambda _: InvalidRequestError(
            "This model does not support images. Remove them from the messages.", param="messages"
        ),
    ),
    (
        re.compile(r"does not support tools"),
        lambda _: InvalidRequestError(
            "This model does not support tools. Remove them, or choose another model.",
            param="tools",
        ),
    ),
    (
        re.compile(r"requires --jinja"),
        lambda _: InvalidRequestError(
            "The model server was started without support for tools (llama.cpp's `--jinja`).",
            param="tools",
        ),
    ),
    (
        re.compile(r"JSON schema error"),
        lambda reason: InvalidRequestError(
            f"The model server cannot use this schema{reason}.", param="response_format"
        ),
    ),
    (
        re.compile(r"(?:must provide|does not have|no) a? ?chat template|chat_template is not set"),
        lambda _: ModelServerError(
            "This model has no chat template, so it cannot chat. Choose an instruction-tuned model."
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
        # OpenAI, Anthropic, DeepSeek: what the model may write, not its context
        re.compile(r"^[\"'`]?max_(?:completion_)?tokens\b|\bInvalid max_tokens\b"),
        lambda reason: InvalidRequestError(
            f"The model server rejected the request{reason}.", param="max_tokens"
        ),
    ),
]
