"""Maps the HTTP status of an error, or the one that its body states, to a SmolChatError.

An error event in a stream has status 200; a proxy may answer 500 with another server's 400 inside.
"""

import re
from collections.abc import Callable

from backend.errors import (
    InvalidRequestError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    RequestTooLargeError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.error_mapping.body import ErrorBody

# By code or type, in lower case without other characters, and without "error" or "exception".
_STATUSES = {
    "invalidrequest": 400,
    "badrequest": 400,
    "invalidargument": 400,
    "invalidparameter": 400,
    "validation": 400,
    "unsupportedparameter": 400,
    "unsupportedvalue": 400,
    "invalidvalue": 400,
    "missingrequiredparameter": 400,
    "unprocessableentity": 422,
    "authentication": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "invalidapikey": 401,
    "insufficientquota": 402,
    "insufficientcredits": 402,
    "insufficientbalance": 402,
    "billing": 402,
    "billinghardlimitreached": 402,
    "paymentrequired": 402,
    "permission": 403,
    "permissiondenied": 403,
    "forbidden": 403,
    "notfound": 404,
    "modelnotfound": 404,
    "requesttoolarge": 413,
    "payloadtoolarge": 413,
    "ratelimit": 429,
    "ratelimitexceeded": 429,
    "ratelimitreached": 429,
    "toomanyrequests": 429,
    "throttling": 429,
    "resourceexhausted": 429,
    "overloaded": 429,
    "engineoverloaded": 429,
    "server": 500,
    "internal": 500,
    "internalserver": 500,
    "api": 500,
    "generation": 500,
    "unavailable": 503,
    "serviceunavailable": 503,
    "timeout": 504,
    "deadlineexceeded": 504,
    "gatewaytimeout": 504,
}
_SUFFIX = re.compile(r"(?:error|exception)$")
_NOT_THE_CLIENTS = (401, 402, 403, 429)


def _effective_status(status: int | None, labels: list[str | int]) -> int | None:
    """Return the status that says whose fault an error is: the response's, or one in `labels`.

    `labels` are the codes and types in the body; `status` is None for an event in a stream.
    """
    stated = _stated_status(labels)
    if stated is None:
        return status
    if status is None:
        return stated
    if status in (400, 413, 422):
        return stated if stated in _NOT_THE_CLIENTS or stated >= 500 else status
    if status in (403, 429):  # also where an account has no credit, and waiting does not help
        return 402 if stated == 402 else status
    # 500 is what servers answer that do not say more.
    return stated if status == 500 or status >= 500 > stated else status


def _stated_status(labels: list[str | int]) -> int | None:
    """Return the first status among numbers, else the first among words."""
    for label in labels:
        number = str(label).strip()
        if re.fullmatch(r"[45]\d\d", number):
            return int(number)
    for label in labels:
        name = _SUFFIX.sub("", re.sub(r"[^a-z]", "", str(label).lower()))
        if name in _STATUSES:
            return _STATUSES[name]
    return None


def error_from_status(status: int | None, said: ErrorBody) -> SmolChatError:
    """Return the error for what no words explain; `status` is None for an event in a stream."""
    reason = said.plain_reason
    if status in (404, 405):
        return ModelServerRouteNotFoundError(
            "The model server has no such route. Check DMR_BASE_URL."
        )
    effective = _effective_status(status, said.labels) or (400 if said.names_fields else None)
    is_unexplained = effective in (None, 400) or effective >= 500
    if effective in (408, 429, 529) or (is_unexplained and _BUSY.search(said.message)):
        return TooManyRequestsError(
            f"The model server is busy{reason}. Try again in a few seconds."
        )
    if effective in (None, 500) and _TIMED_OUT.search(said.message):
        effective = 504
    if error := _ERRORS_BY_STATUS.get(effective):
        return error(reason)
    if status is None:
        return ModelServerError(
            f"The model server failed during the response{reason}. See its log for details."
        )
    return ModelServerError(
        f"The model server failed with status {status}{reason}. See its log for details."
    )


def rejected(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"The model server rejected the request{reason}.")


def bad_key(_reason: str) -> ModelServerError:
    return ModelServerError("The model server rejected the API key. Check DMR_API_KEY.")


def proxy_password_error() -> ModelServerError:
    """Return the error for status 407, which comes from a proxy and not from the model server."""
    return ModelServerError(
        "The proxy of the model server requires a user and a password. Set them in the proxy's "
        "URL, as in HTTPS_PROXY=http://user:password@proxy.example:3128."
    )


def no_credit(reason: str) -> ModelServerError:
    return ModelServerError(
        f"The account at the model server has no credit left{reason}. Check its plan."
    )


_ERRORS_BY_STATUS: dict[int | None, Callable[[str], SmolChatError]] = {
    400: rejected,
    401: bad_key,
    402: no_credit,
    403: lambda reason: ModelServerError(
        f"The model server denied access{reason}. Check DMR_API_KEY."
    ),
    407: lambda _reason: proxy_password_error(),
    413: lambda reason: RequestTooLargeError(
        f"The request is too large for the model server{reason}. Send fewer or shorter messages."
    ),
    422: rejected,
    503: lambda reason: ModelServerError(
        f"The model server is not available at the moment{reason}. Try again in a few seconds."
    ),
    504: lambda reason: ModelServerTimeoutError(
        f"The model server did not respond in time{reason}. Try again."
    ),
}
# Proxies in front of a server.
_ERRORS_BY_STATUS[522] = _ERRORS_BY_STATUS[524] = _ERRORS_BY_STATUS[504]

_BUSY = re.compile(
    r"\boverloaded\b|\b(?:is|server|too) busy\b|\brate[ -]?limit|too many (?:\w+ )?requests"
    r"|pending requests exceeded|\bno (?:free |available )?slots?\b|\bfree slot\b|at capacity"
    r"|\bslots? (?:is |are )?unavailable|\bqueue (?:is |was )?full\b",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(
    r"\btimed out\b|\bdeadline exceeded|\btime-?out (?:of \d|exceeded|reached)"
    r"|\b(?:request|response|generation|connection|upstream|stream) time-?out\b",
    re.IGNORECASE,
)
