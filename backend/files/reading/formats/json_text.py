"""Read JSON (.json, .jsonl): a line for each small object, with the names of its values."""

import json
from collections.abc import Iterator
from typing import Any

from backend.files.reading.decoding import decoded_parts, whole_lines
from backend.files.reading.errors import ReadError, damaged_file
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

# An object with more than this, names included, has a line for each of its values.
_MAX_RECORD_CHARACTERS = 1000


def read_json(source: Source, writer: TextWriter) -> None:
    if source.size > source.limits.max_json_bytes:
        raise ReadError(
            "too_large",
            f"The file has more than {source.limits.max_json_bytes // 1024**2:,} MB of JSON. Save "
            "it as JSON Lines (.jsonl), with one object on each line, or upload it in parts.",
        )
    text = "".join(decoded_parts(source))
    if not text.strip():
        return
    try:
        value = _parse(text)
    except _SeveralValuesError:
        read_jsonl(source, writer)  # as many programs name it
        return
    for line in _text_lines(value):
        writer.write(line + "\n")


def read_jsonl(source: Source, writer: TextWriter) -> None:
    for number, line in enumerate(whole_lines(source), start=1):
        if line.strip():
            for text in _text_lines(_parse(line, line_number=number)):
                writer.write(text + "\n")


class _SeveralValuesError(ReadError):
    """A value is followed by another one."""


def _parse(text: str, *, line_number: int | None = None) -> Any:
    try:
        # Numbers stay as they are written: no digit is lost, and none takes long to convert.
        return json.loads(text, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        kind = _SeveralValuesError if error.msg == "Extra data" else ReadError
        line = line_number or error.lineno
        raise kind(
            "damaged",
            f"The file is not valid JSON (line {line:,}, column {error.colno:,}: {error.msg}). "
            "Correct it, or rename it to .txt to read it as text.",
        ) from error
    except RecursionError as error:
        raise damaged_file("JSON", "its values are nested too deeply") from error


def _text_lines(value: Any) -> Iterator[str]:
    """Yield a line for each object that is small, and for each value of the others."""
    pending: list[tuple[str, Any]] = [("", value)]  # a stack, as nesting may be deep
    while pending:
        path, value = pending.pop()
        if (line := _record(path, value)) is not None:
            yield line
        else:
            pending += reversed(_children(path, value))


def _children(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{path}.{key}" if path else key, child) for key, child in value.items()]
    return [(path, child) for child in value]


def _record(path: str, value: Any) -> str | None:
    """Return the line of a value, or None if it takes several."""
    if not isinstance(value, dict):
        text = _plain_text(value)
        return None if text is None else _labelled(path, text)
    parts: list[str] = []
    length = 0
    for name, text in _plain_values(value):
        if text is None:
            return None
        parts.append(_labelled(name, text))
        length += len(parts[-1])
        if length > _MAX_RECORD_CHARACTERS:
            return None
    line = "; ".join(parts)
    return f"{path} - {line}" if path else line


def _plain_values(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the text of each value in `value` that is not an object, in order."""
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += reversed(_children(path, value))
        else:
            yield path, _plain_text(value)


def _plain_text(value: Any) -> str | None:
    """Return the text of a value, or None if it is an object or a long list, or a list of them."""
    if isinstance(value, str):
        return " ".join(value.split()) if len(value) <= _MAX_RECORD_CHARACTERS else value.strip()
    if not isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, dict) or any(isinstance(child, dict | list) for child in value):
        return None
    text = ", ".join(_plain_text(child) or "" for child in value)
    return text if len(text) <= _MAX_RECORD_CHARACTERS else None


def _labelled(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text
