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
    SmolChatError,
    UnsupportedContentError,
)
from backend.model_server.error_mapping.body import ErrorBody, read_error_body
from backend.model_server.error_mapping.choice_limit import choice_limit
from backend.model_server.error_mapping.context_overflow import context_overflow
from backend.model_server.error_mapping.load_failure import is_crash, load_failure, runtime_failure
from backend.model_server.error_mapping.missing_model import missing_model, missing_model_by_code
from backend.model_server.error_mapping.status import (
    bad_key,
    error_from_status,
    no_credit,
    rejected,
)

logger = logging.getLogger(__name__)

MAX_LOGGED_BYTES = 6000
# Go's servers and nginx
_HTTPS_REQUIRED = re.compile(r"HTTP request (?:was sent )?to (?:an )?HTTPS (?:server|port)")


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
    error = _error_from_text(status, said) or error_from_status(status, said)
    if isinstance(error, InvalidRequestError):
        error.refusal = said.text
        error.param = error.param or said.param
    elif isinstance(error, ModelServerError):
        error.is_reported = True
    return error


def requires_https(body: bytes) -> bool:
    """Return True if an error says that a server got HTTP on a port for HTTPS."""
    return bool(_HTTPS_REQUIRED.search(read_error_body(body).message))


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
            return error(said.plain_reason)
    return None


def _unreadable(_reason: str) -> ModelOutputUnreadableError:
    return ModelOutputUnreadableError(
        "The model wrote an answer or a tool call that the model server could not read. Try "
        "again, or choose other tools or another model."
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
            r"|(?i:failed to parse grammar|error parsing grammar|grammar error|"
            r"unsupported content(?: part| block|\[\])?[ .]type)|^Unknown reasoning format"
        ),
        rejected,
    ),
]
_KNOWN_MESSAGES: list[tuple[re.Pattern[str], Callable[[str], SmolChatError]]] = [
    (
        re.compile(
            r"^Loading model|(?i:\b(?:model|server|engine|service|backend|deployment)\b(?:.{0,200}"
            r" is (?:currently |still )?(?:loading|being (?:down)?loaded|warming up|scaling up"
            r"|initializing|starting(?! at| with| from))|(?: is)? starting up"
            r"|.{0,200} not (?:yet )?ready)\b)"
        ),
        lambda _: ModelLoadingError("The model is still loading. Try again in a few seconds."),
    ),
    (
        _HTTPS_REQUIRED,
        lambda _: ModelServerError(
            "The model server expects HTTPS. Set DMR_BASE_URL to its https:// address."
        ),
    ),
    (
        re.compile(r"Unexpected endpoint or method"),  # LM Studio, with status 200
        lambda _: ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        ),
    ),
    (
        re.compile(
            r"\bAPI[ _-]?key (?:is )?(?:not valid|invalid|missing|expired|required)"
            r"|\b(?:invalid|incorrect|expired|missing) (?:API[ _-]?key|authorization|credentials)"
            r"|\bno (?:API[ _-]?key|auth\w*)(?: \w+)? (?:provided|found)\b|^Unauthori[sz]ed\b"
            r"|^(?:invalid|missing) (?:bearer|access|auth\w*) token",
            re.IGNORECASE,
        ),
        bad_key,
    ),
    (
        re.compile(
            r"\bcredit balance\b|\binsufficient (?:balance|credits?|quota|funds)\b"
            r"|\bout of credits?\b|exceeded your current quota",
            re.IGNORECASE,
        ),
        no_credit,
    ),
    (
        re.compile(
            r"mmproj|\bat most 0 image|\brequired for image input"
            r"|\b(?:image|vision|multi-?modal)(?:_url|s)?(?: \w+)? (?:is|are) (?:not|only) support"
            r"|\bdoes(?: not|n't) support (?:image|vision|multi-?modal)",
            re.IGNORECASE,
        ),
        lambda _: UnsupportedContentError(
            "This model does not support images. Remove them from the messages.", param="messages"
        ),
    ),
    (
        re.compile(
            r"\bdoes(?: not|n't) support (?:tools?\b|function call)|\bsupport tool use\b"
            r"|\b(?:tools?|function)`?(?: use| call\w*)? (?:is|are) not supported",
            re.IGNORECASE,
        ),
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
        re.compile(r"requires --enable-auto-tool-choice"),
        lambda _: InvalidRequestError(
            "The model server was started without support for tools (vLLM's "
            "`--enable-auto-tool-choice` and `--tool-call-parser`).",
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
        # What templates say themselves comes as it is.
        re.compile(
            r"[Jj]inja|chat template|^template: |\bfor this template\b|\broles must alternate"
            r"|\brole (?:is )?not supported|\broles are supported|\b[Ss]ystem message must be"
            r"|\b[Nn]o user query found|[Uu]nexpected message role|only supports single tool-calls"
            r"|^Value is not callable|tool role, but there was no|2 or more assistant messages"
        ),
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
