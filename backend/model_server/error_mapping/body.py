"""Reads the body of a model server's error: what it said, wherever it put it.

Reasons are in `error.message` (OpenAI), `error` (Ollama), `detail` (FastAPI, RFC 9457), `errors`,
lists of these, JSON inside a message (a proxy in front of another server), or plain text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import Any

from pydantic_core import from_json

from backend.json_values import as_count
from backend.model_server.answers.json_text import parse_json, replace_halves
from backend.model_server.error_mapping.embedded_json import split_embedded_json
from backend.model_server.error_mapping.plain_sentence import join_sentences

MAX_BODY_CHARACTERS = 64_000
# Longer text is truncated before matching: some patterns take quadratic time.
MAX_TEXT_CHARACTERS = 10_000
_MAX_DEPTH = 12
_MAX_REASONS = 5
# Names in lower case without "_" and "-". The most specific reason comes first.
_REASON_KEYS = (
    *("message", "detail", "errordescription", "errormessage", "faultstring", "msg", "statusmsg"),
    *("description", "reason", "text", "cause", "fault", "response", "data", "baseresp"),
    "innererror",
)
_MORE_REASON_KEYS = (
    *("errors", "details", "violations", "fieldviolations", "invalidparams", "issues"),
    *("metadata", "raw"),
)
_FIELD_KEYS = ("loc", "param", "field", "pointer", "property", "path")
_LABEL_KEYS = (
    *("code", "type", "status", "statuscode", "errortype", "errorcode"),
    *("httpcode", "httpstatus"),
)
# What a server quotes from the request, or from the model's answer.
_QUOTED_KEYS = ("input", "body", "request", "failedgeneration", "url", "instance")
_EVENT_PREFIX = re.compile(r"(?:event:[^\r\n]*\r?\n)?(?:data|error):\s*(?=[\[{])")
_PATH_PART = re.compile(r"\w{1,64}")
_FIELD_NAME = re.compile(r"[A-Za-z_]\w{0,63}(?:\.\w{1,64}|\[\d{1,6}\]){0,8}")


@dataclass(frozen=True)
class Reason:
    """One reason as the server wrote it, and the field of the request that it names."""

    text: str
    field: str | None = None

    def __str__(self) -> str:
        is_named = not self.field or self.field in self.text
        return self.text if is_named else f"{self.field}: {self.text}"


@dataclass(frozen=True)
class _QuotingText:
    """A text and the JSON that was in it."""

    text: str
    quoted: Any


@dataclass(frozen=True)
class ErrorBody:
    """What a model server said in an error; it may hold logs, paths and parts of the prompt."""

    content: Any  # JSON without what it quotes from the request, or text

    @cached_property
    def reasons(self) -> list[Reason]:
        """The reasons, at most five, each once."""
        reasons: list[Reason] = []
        for reason in islice(_reasons(self.content), 4 * _MAX_REASONS):
            if not any(str(reason) in str(other) for other in reasons):
                reasons.append(reason)
        return reasons[:_MAX_REASONS]

    @cached_property
    def message(self) -> str:
        """All reasons as one text."""
        return "; ".join(map(str, self.reasons))[:MAX_TEXT_CHARACTERS]

    @cached_property
    def plain_reason(self) -> str:
        """All reasons as ": a plain sentence" without what is private, or ""."""
        sentence = join_sentences([str(reason) for reason in self.reasons])
        return f": {sentence}" if sentence else ""

    @cached_property
    def text(self) -> str:
        """Every name and every string in the body."""
        return "\n".join(islice(_strings(self.content), 500))[:MAX_TEXT_CHARACTERS]

    @cached_property
    def param(self) -> str | None:
        """The field of the request that the error is about, if it names exactly one."""
        for fields in _objects(self.content):
            name = fields.get("param")
            if isinstance(name, str) and _FIELD_NAME.fullmatch(name):
                return name
        names = {reason.field for reason in self.reasons if reason.field}
        if len(names) > 1:  # several faults within one field
            names = {name.partition(".")[0] for name in names}
        return names.pop() if len(names) == 1 else None

    @cached_property
    def labels(self) -> list[str | int]:
        """The codes and types, the outermost first."""
        return [
            value
            for fields in _objects(self.content)
            for key in _LABEL_KEYS
            if isinstance(value := fields.get(key), str | int)
        ]

    @cached_property
    def names_fields(self) -> bool:
        """True if it lists faults of fields, as FastAPI does when it refuses a request."""
        return any("loc" in fields and "msg" in fields for fields in _objects(self.content))

    @cached_property
    def counts(self) -> dict[str, int]:
        """llama.cpp's `n_prompt_tokens` and `n_ctx`, those that are valid."""
        return {
            name: count
            for fields in _objects(self.content)
            for name in ("n_prompt_tokens", "n_ctx")
            if (count := as_count(fields.get(name.replace("_", "")))) is not None
        }


def read_error_body(body: bytes) -> ErrorBody:
    """Parse a body that is JSON, an event of a stream, or text, whatever its content type."""
    text = body[: 4 * MAX_BODY_CHARACTERS].decode(errors="replace").lstrip("\ufeff").strip()
    if match := _EVENT_PREFIX.match(text):
        text = text[match.end() :].partition("\n")[0]
    content = parse_json(text) if len(text) <= MAX_BODY_CHARACTERS else None
    if content is None and text.startswith(("{", "[")):
        content = _parse_truncated(text[:MAX_BODY_CHARACTERS])
    if not isinstance(content, dict | list | str):
        content = text
    return ErrorBody(_without_quotes(content, 0))


def _parse_truncated(text: str) -> Any:
    try:
        return from_json(text, allow_partial=True)
    except ValueError:
        return None


def _normalize(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _without_quotes(value: Any, depth: int) -> Any:
    """Return `value` without what it quotes from the request, and with the JSON in its strings."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, str):
        text, quoted = split_embedded_json(replace_halves(value))
        return _QuotingText(text, _without_quotes(quoted, depth + 1)) if quoted else text
    if isinstance(value, list):
        return [_without_quotes(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            replace_halves(key): _without_quotes(item, depth + 1)
            for key, item in value.items()
            if _normalize(key) not in _QUOTED_KEYS
        }
    return value


def _reasons(value: Any) -> Iterator[Reason]:
    """Yield the reasons in `value`; each item of a list may have some."""
    if isinstance(value, str) and value.strip():
        yield Reason(value.strip())
    elif isinstance(value, _QuotingText):
        yield from list(_reasons(value.quoted)) or _reasons(value.text)
    elif isinstance(value, list):
        for item in value:
            yield from _reasons(item)
    elif isinstance(value, dict):
        yield from _main_reasons(value) or _reasons_of_fields(_lists_by_field(value))
        yield from _more_reasons(value)


def _main_reasons(value: dict[str, Any]) -> list[Reason]:
    fields = {_normalize(key): item for key, item in value.items()}
    has_details = isinstance(fields.get("error"), dict | list)
    for key in (
        ("error", *_REASON_KEYS) if has_details else (*_REASON_KEYS, "error", "exception", "title")
    ):
        if reasons := list(_reasons(fields.get(key))):
            name = _field_name(fields)
            return [Reason(reason.text, reason.field or name) for reason in reasons]
    return []


def _lists_by_field(value: dict[str, Any]) -> dict[str, Any]:
    """Return the lists in an object without other reasons: Django has one for each field."""
    names = (*_MORE_REASON_KEYS, *_FIELD_KEYS)
    return {
        name: item
        for name, item in value.items()
        if isinstance(item, list) and _FIELD_NAME.fullmatch(name) and _normalize(name) not in names
    }


def _more_reasons(value: dict[str, Any]) -> Iterator[Reason]:
    """Yield what explains the main reason."""
    for key, item in value.items():
        name = _normalize(key)
        if name == "errors":
            yield from _reasons_of_fields(item) if isinstance(item, dict) else _reasons(item)
        elif name in _MORE_REASON_KEYS:  # single words are codes
            yield from (reason for reason in list(_reasons(item)) if " " in reason.text)


def _reasons_of_fields(value: dict[str, Any]) -> Iterator[Reason]:
    """Yield the reasons of an object that has one or more for each field."""
    for name, items in value.items():
        field = name if _FIELD_NAME.fullmatch(name) else None
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and not _main_reasons(item):
                yield from _reasons_of_fields(item)
            else:
                yield from (Reason(one.text, one.field or field) for one in list(_reasons(item)))


def _field_name(fields: dict[str, Any]) -> str | None:
    """Return the field of the request that one error in a list names."""
    for key in _FIELD_KEYS:
        place = fields.get(key)
        if isinstance(place, str) and not (key == "path" and "/" in place):
            place = re.split(r"[./]", place.strip("#/"))
        if not isinstance(place, list) or not place:
            continue
        parts = [str(part) for part in place if isinstance(part, str | int)]
        parts = parts[1:] if parts[:1] in (["body"], ["query"]) else parts
        plain = list(islice(takewhile(_PATH_PART.fullmatch, parts), 8))
        if _FIELD_NAME.fullmatch(name := ".".join(plain)):
            return name
    return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in `value` with normalized names, the outermost first."""
    if isinstance(value, _QuotingText):
        yield from _objects(value.quoted)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        yield {_normalize(key): item for key, item in value.items()}
        for item in value.values():
            yield from _objects(item)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, _QuotingText):
        yield value.text
        yield from _strings(value.quoted)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
