"""Finds the HTTP status that an error's body states, for errors that came with none of their own.

An error event in a stream has status 200; a proxy may answer 500 with another server's 400 inside.
"""

import re

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


def effective_status(status: int | None, labels: list[str | int]) -> int | None:
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
    if status == 429:  # also where an account has no credit, and waiting does not help
        return 402 if stated == 402 else 429
    return stated if status >= 500 > stated else status


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
