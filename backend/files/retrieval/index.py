"""The passages of files in the database: add, remove, and read those that may answer a question."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import and_, delete, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import passages
from backend.files.reading.document import Section
from backend.files.retrieval.passages import Passage, SlicedText, split_passages
from backend.files.retrieval.sentences import split_sentences
from backend.files.retrieval.text_index import text_index
from backend.files.retrieval.windows import Run, Statistics

_BATCH_PASSAGES = 200  # that are inserted or deleted in one transaction
# Words that more of the passages have choose no candidates, if there are rarer ones.
_MAX_SHARE = 0.2
_MIN_RARE_WORDS = 3
_MAX_SEARCHED_WORDS = 25

AtEnd = Callable[[AsyncConnection], Awaitable[None]]


class Document(Protocol):
    """A file as it was read."""

    @property
    def text(self) -> SlicedText: ...
    @property
    def sections(self) -> Sequence[Section]: ...


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its id, in ascending order within a file, and its file."""

    id: int
    file: str
    passage: Passage


class PassageIndex:
    """Stores and reads passages, in short transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = text_index(database.dialect)

    async def add(self, file_id: str, document: Document, *, at_end: AtEnd | None = None) -> int:
        """Store the passages of a file instead of those that it has; return their number.

        `at_end` is called in the last transaction.
        """
        await self.remove(file_id)
        iterator = split_passages(document.text, document.sections)
        count, is_last = 0, False
        while not is_last:
            rows = await asyncio.to_thread(_next_rows, file_id, iterator)
            count, is_last = count + len(rows), len(rows) < _BATCH_PASSAGES
            async with self._database.write_transaction(is_durable=False) as connection:
                if rows:
                    await self._insert(connection, rows)
                if is_last and at_end:
                    await at_end(connection)
        return count

    async def _insert(self, connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
        values = [{k: v for k, v in row.items() if k != "title"} for row in rows]
        query = insert(passages).returning(passages.c.number, passages.c.id)
        ids = {row.number: row.id for row in (await connection.execute(query, values)).all()}
        for row in rows:
            row["id"] = ids[row["number"]]
        await self._index.insert(connection, rows)

    async def remove(self, file_id: str) -> None:
        """Delete the passages of a file, and their words."""
        while await self._has_passages(file_id):
            async with self._database.write_transaction() as connection:
                query = select(passages.c.id).where(passages.c.file == file_id)
                ids = (await connection.execute(query.limit(_BATCH_PASSAGES))).scalars().all()
                await self._index.delete(connection, ids)
                await connection.execute(delete(passages).where(passages.c.id.in_(ids)))

    async def _has_passages(self, file_id: str) -> bool:
        query = select(passages.c.id).where(passages.c.file == file_id).limit(1)
        async with self._database.read_transaction() as connection:
            return (await connection.execute(query)).first() is not None

    async def count(self, files: Sequence[str]) -> dict[str, int]:
        """Return the number of passages of each file that has any."""
        query = (
            select(passages.c.file, func.count())
            .where(passages.c.file.in_(files))
            .group_by(passages.c.file)
        )
        async with self._database.read_transaction() as connection:
            return dict((await connection.execute(query)).all())

    async def read_edge(self, file_id: str, limit: int, *, is_end: bool) -> list[Passage]:
        """Return the first or the last passages of a file, in its order."""
        order = passages.c.number.desc() if is_end else passages.c.number
        query = select(passages).where(passages.c.file == file_id).order_by(order).limit(limit)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_stored(row).passage for row in (reversed(rows) if is_end else rows)]

    async def read_from(self, file_id: str, start: int, limit: int) -> tuple[list[Passage], int]:
        """Return the passages of a file from a character on, and where the last of all ends."""
        of_file = select(passages).where(passages.c.file == file_id)
        query = of_file.where(passages.c.end > start).order_by(passages.c.number).limit(limit)
        last = of_file.with_only_columns(passages.c.end).order_by(passages.c.number.desc()).limit(1)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
            end = (await connection.execute(last)).scalar_one_or_none()
        return [_stored(row).passage for row in rows], end or 0

    async def locate(self, file_id: str, offset: int) -> Passage | None:
        """Return the passage that a character of a file is in."""
        query = (
            select(passages)
            .where(passages.c.file == file_id, passages.c.start <= offset, passages.c.end > offset)
            .limit(1)
        )
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _stored(row).passage

    async def statistics(
        self, stems: Sequence[str], files: Sequence[str], passages_in_files: int
    ) -> Statistics:
        """Return how many of the passages of these files have each stem."""
        async with self._database.read_transaction() as connection:
            counts = await self._index.count(connection, list(dict.fromkeys(stems)), files)
        return Statistics(passages_in_files, counts)

    async def find(
        self,
        weights: dict[str, float],
        statistics: Statistics,
        *,
        files: Sequence[str],
        limit: int,
    ) -> list[StoredPassage]:
        """Return the passages that have the rarest of the stems, the likeliest first."""
        weights = _searched(weights, statistics)
        if not weights or not files:
            return []
        async with self._database.read_transaction() as connection:
            ids = await self._index.find(connection, weights, files, limit)
            query = select(passages).where(passages.c.id.in_(ids))
            rows = (await connection.execute(query)).mappings().all()
        by_id = {row["id"]: _stored(row) for row in rows}
        return [by_id[number] for number in ids]

    async def runs_around(self, found: Sequence[StoredPassage], neighbours: int) -> list[Run]:
        """Return passages with those before and after them, joined where they follow each other."""
        if not found:
            return []
        wanted: dict[str, set[int]] = {}
        for stored in found:
            number = stored.passage.number
            numbers = range(max(number - neighbours, 0), number + neighbours + 1)
            wanted.setdefault(stored.file, set()).update(numbers)
        query = select(passages).where(
            or_(
                *(
                    and_(passages.c.file == file, passages.c.number.in_(numbers_of_file))
                    for file, numbers_of_file in wanted.items()
                )
            )
        )
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        order = {file: n for n, file in enumerate(wanted)}
        around = sorted(map(_stored, rows), key=lambda one: (order[one.file], one.passage.number))
        return list(join_runs(around))


def join_runs(stored: Sequence[StoredPassage]) -> Iterator[Run]:
    """Join passages that follow each other in a file."""
    parts: list[StoredPassage] = []
    for one in stored:
        if parts and (parts[-1].file, parts[-1].passage.end) != (one.file, one.passage.start):
            yield _run(parts)
            parts = []
        parts.append(one)
    if parts:
        yield _run(parts)


def _run(parts: Sequence[StoredPassage]) -> Run:
    first = parts[0]
    return Run(first.file, [part.passage for part in parts])


def _next_rows(file_id: str, iterator: Iterator[Passage]) -> list[dict[str, Any]]:
    return [
        {
            "file": file_id,
            "number": passage.number,
            "start": passage.start,
            "end": passage.end,
            "page": passage.page,
            "heading": passage.heading,
            "text": passage.text,
            "title": title_of(passage),
        }
        for passage in islice(iterator, _BATCH_PASSAGES)
    ]


def title_of(passage: Passage) -> str:
    """Return the heading, or the first sentence of a file without one."""
    if passage.heading or passage.number:
        return passage.heading or ""
    start, end = split_sentences(passage.text)[0]
    return passage.text[start:end]


def _stored(row: Any) -> StoredPassage:
    fields = ("number", "start", "end", "text", "page", "heading")
    return StoredPassage(row["id"], row["file"], Passage(*(row[field] for field in fields)))


def _searched(weights: dict[str, float], statistics: Statistics) -> dict[str, float]:
    """Return the heaviest stems that occur, no very frequent ones if there are enough others."""
    counts = statistics.counts
    occurring = {stem: weight for stem, weight in weights.items() if counts.get(stem)}
    limit = _MAX_SHARE * statistics.passages
    rare = {stem: weight for stem, weight in occurring.items() if counts[stem] <= limit}
    chosen = rare if len(rare) >= _MIN_RARE_WORDS else occurring
    heaviest = sorted(chosen, key=lambda stem: -chosen[stem] * statistics.idf(stem))
    return {stem: chosen[stem] for stem in heaviest[:_MAX_SEARCHED_WORDS]}
