"""Say in one sentence what is wrong with an invalid request, and which field it is about."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

_TYPE_NAMES = {
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
}
_ABSENT = ("missing", "extra_forbidden")
_TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")


class InvalidField(NamedTuple):
    """The path to a field of the request, empty for the whole request, and what is wrong there."""

    path: str
    reason: str


def first_invalid_field(errors: Sequence[ErrorDetails], body: Any) -> InvalidField:
    """Return what to tell the client of what Pydantic found.

    Of the alternatives of a union, the one whose error is deepest is the one that the client meant;
    of equally deep ones the one that has the right type.
    """
    paths = [_path(error, body) for error in errors]
    depth = max(map(len, paths))
    path = next(path for path in paths if len(path) == depth)
    here = [error for error, other in zip(errors, paths, strict=True) if other == path]
    specific = [error for error in here if error["type"] not in _TYPE_NAMES]
    if specific:
        return InvalidField(".".join(path), _reason(specific[0]))
    names = dict.fromkeys(_TYPE_NAMES[error["type"]] for error in here)
    return InvalidField(".".join(path), f"must be {' or '.join(names)}")


def _reason(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "union_tag_invalid":
        return f"must be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return "Field required"
    if kind == "too_short":
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} items"
    if kind == "too_long":
        return f"must have at most {context['max_length']} items, not {context['actual_length']}"
    return error["msg"].removeprefix("Value error, ")


def _path(error: ErrorDetails, body: Any) -> list[str]:
    """Return the path to a value in the body, without the alternatives that Pydantic tried.

    An error in the URL's path or query has just the parameter's name.
    """
    if error["loc"][0] != "body":
        return [str(error["loc"][-1])]
    names = []
    absent = error["loc"][-1] if error["type"] in _ABSENT else None
    for part in error["loc"][1:]:
        if isinstance(body, list) and isinstance(part, int):
            body = body[part] if part < len(body) else None
        elif isinstance(body, dict) and (part in body or part == absent):
            body = body.get(part)
        else:
            continue
        names.append(str(part))
    if error["type"] in _TAG_ERRORS:
        names.append(error["ctx"]["discriminator"].strip("'"))
    return names
