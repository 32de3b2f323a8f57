"""The places in files that stored messages cite: which of the files are gone, and their numbers."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import Message
from backend.database.tables import files
from backend.json_values import as_count, as_dict_list, as_str

_MAX_QUOTE_CHARACTERS = 500  # in a list of citations
_MAX_IDS = 1000  # in one query
Citation = dict[str, Any]
Place = tuple[str, int | None, int | None]


async def mark_deleted(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Say in the annotations of rows, which are JSON text, which files do not exist any more."""
    cited = {
        number: as_dict_list(from_json(row["annotations"]))
        for number, row in enumerate(rows)
        if row["annotations"] not in (None, "[]")
    }
    existing = await _existing(connection, _file_ids(cited.values()))
    for number, annotations in cited.items():
        marked = [_marked(annotation, existing) for annotation in annotations]
        rows[number]["annotations"] = to_json(marked).decode()


async def marked(connection: AsyncConnection, messages: Sequence[Message]) -> list[Message]:
    """Return messages whose annotations say which files do not exist any more."""
    existing = await _existing(connection, _file_ids(each.annotations or () for each in messages))
    return [
        message.model_copy(
            update={"annotations": [_marked(each, existing) for each in message.annotations]}
        )
        if message.annotations
        else message
        for message in messages
    ]


def numbered(content: str, annotations: Iterable[Citation]) -> tuple[str, list[str]]:
    """Return a text with the numbers of its citations, and what they cite, in a line each.

    A place that is cited several times has one number.
    """
    numbers, lines, marks = dict[Place, int](), list[str](), dict[int, list[str]]()
    for citation in annotations:
        start, end = as_count(citation.get("start")), as_count(citation.get("end"))
        place = as_str(citation.get("file_id")), start, end
        if place not in numbers:
            numbers[place] = len(numbers) + 1
            lines.append(_line(citation))
        index = as_count(citation.get("index"))
        position = len(content) if index is None else min(index, len(content))
        marks.setdefault(position, []).append(f"[{numbers[place]}]")
    text, done = list[str](), 0
    for position in sorted(marks):
        text += [content[done:position], *dict.fromkeys(marks[position])]
        done = position
    return "".join([*text, content[done:]]), lines


def _line(citation: Citation) -> str:
    source = as_str(citation.get("filename")) or "A file"
    if page := as_count(citation.get("page")):
        source += f", page {page}"
    if citation.get("match") == "similar_passage":
        source += " (similar passage)"
    if citation.get("deleted"):
        source += " (deleted)"
    quote = as_str(citation.get("quote"))
    quote = quote if len(quote) <= _MAX_QUOTE_CHARACTERS else f"{quote[:_MAX_QUOTE_CHARACTERS]}…"
    return " ".join(f"{source}: “{quote}”".split()) if quote else source


def _marked(citation: Citation, existing: set[str]) -> Citation:
    fields = {name: value for name, value in citation.items() if name != "deleted"}
    is_deleted = "file_id" in fields and as_str(fields["file_id"]) not in existing
    return fields | ({"deleted": True} if is_deleted else {})


def _file_ids(cited: Iterable[Iterable[Citation]]) -> list[str]:
    ids = {as_str(citation.get("file_id")) for annotations in cited for citation in annotations}
    return sorted(ids - {""})


async def _existing(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    existing = set[str]()
    for start in range(0, len(ids), _MAX_IDS):
        query = select(files.c.id).where(
            files.c.id.in_(ids[start : start + _MAX_IDS]), files.c.status != "deleted"
        )
        existing |= set((await connection.execute(query)).scalars())
    return existing
