"""The passages of files in the database: add, remove, and read those that may answer a question."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import and_, delete, false, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.database.database import Database
from backend.database.tables import passages
from backend.files.reading.document import Section
from backend.files.retrieval.passages import Passage, SlicedText, split_passages
from backend.files.retrieval.sentences import split_sentences
from backend.files.retrieval.text_index import text_index
from backend.files.retrieval.windows import Run, Statistics

_FIELDS = ("number", "start", "end", "text", "page", "heading")  # of a Passage, in its order
_BATCH_PASSAGES = 200  # that are inserted or deleted in one transaction
# Words that more of the passages have choose no candidates, if there are rarer ones.
_MAX_SHARE = 0.2
_MIN_RARE_WORDS = 3
_MAX_SEARCHED_WORDS = 25

AtEnd = Callable[[AsyncConnection, str], Awaitable[None]]


class Document(Protocol):
    """A file as it was read."""

    @property
    def text(self) -> SlicedText: ...
    @property
    def sections(self) -> Sequence[Section]: ...


@dataclass(frozen=True, slots=True)
class _Row:
    """A passage as it is stored: a row of `passages`, and what is indexed of it."""

    passage: dict[str, Any]
    indexed: dict[str, Any]


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

    async def add(self, file_id: str, document: Document) -> int:
        """Store the passages of a file instead of those that it has; return their number."""
        return await self.add_all({file_id: document})

    async def add_all(
        self, documents: Mapping[str, Document], *, at_end: AtEnd | None = None
    ) -> int:
        """Store the passages of files instead of those that they have; return their number.

        Small files share transactions. `at_end` is called with each file, in its last one.
        """
        await self._remove(list(documents))
        iterator = self._rows(documents)
        count = 0
        while batch := await asyncio.to_thread(_next_batch, iterator):
            rows = [item for item in batch if isinstance(item, _Row)]
            async with self._database.write_transaction(is_durable=False) as connection:
                if rows:
                    await self._insert(connection, rows)
                for item in batch:
                    if isinstance(item, str) and at_end:
                        await at_end(connection, item)
            count += len(rows)
        return count

    def _rows(self, documents: Mapping[str, Document]) -> Iterator[_Row | str]:
        """Yield the rows of files, and after those of each its id."""
        for file_id, document in documents.items():
            for passage in split_passages(document.text, document.sections):
                indexed = self._index.analyze(passage.text, title_of(passage))
                yield _Row({"file": file_id, **_fields(passage)}, indexed)
            yield file_id

    async def _insert(self, connection: AsyncConnection, rows: Sequence[_Row]) -> None:
        columns = passages.c
        query = insert(passages).returning(columns.file, columns.number, columns.id)
        inserted = await connection.execute(query, [row.passage for row in rows])
        ids = {(row.file, row.number): row.id for row in inserted}
        await self._index.insert(
            connection,
            [row.indexed | {"id": ids[row.passage["file"], row.passage["number"]]} for row in rows],
        )

    async def remove(self, file_id: str) -> None:
        """Delete the passages of a file, and their words."""
        await self._remove([file_id])

    async def _remove(self, files: Sequence[str]) -> None:
        query = select(passages.c.id).where(passages.c.file.in_(files)).limit(_BATCH_PASSAGES)
        while await self._has_passages(files):
            async with self._database.write_transaction(is_durable=False) as connection:
                ids = (await connection.execute(query)).scalars().all()
                await self._index.delete(connection, ids)
                await connection.execute(delete(passages).where(passages.c.id.in_(ids)))

    async def _has_passages(self, files: Sequence[str]) -> bool:
        query = select(passages.c.id).where(passages.c.file.in_(files)).limit(1)
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

    async def count_in(self, spans: Sequence[tuple[str, int, int]]) -> int:
        """Return how many passages have any of these parts: a file, where it begins and ends."""
        conditions = [
            and_(passages.c.file == file, passages.c.start < end, passages.c.end > start)
            for file, start, end in spans
        ]
        query = select(func.count()).select_from(passages).where(or_(false(), *conditions))
        async with self._database.read_transaction() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def read_edge(self, file_id: str, limit: int, *, is_end: bool) -> list[Passage]:
        """Return the first or the last passages of a file, in its order."""
        order = passages.c.number.desc() if is_end else passages.c.number
        query = select(passages).where(passages.c.file == file_id).order_by(order).limit(limit)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_stored(row).passage for row in (reversed(rows) if is_end else rows)]

    async def read_files(self, files: Sequence[str]) -> dict[str, list[Passage]]:
        """Return all passages of each file that has any, in its order."""
        query = select(passages).where(passages.c.file.in_(files))
        query = query.order_by(passages.c.file, passages.c.number)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        by_file: dict[str, list[Passage]] = {}
        for row in rows:
            by_file.setdefault(row["file"], []).append(_stored(row).passage)
        return by_file

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
            return await _read_in_order(connection, ids)

    async def read(self, ids: Sequence[int]) -> list[StoredPassage]:
        """Return the passages with these ids, in their order, without those that do not exist."""
        async with self._database.read_transaction() as connection:
            return await _read_in_order(connection, ids)

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


async def _read_in_order(connection: AsyncConnection, ids: Sequence[int]) -> list[StoredPassage]:
    query = select(passages).where(passages.c.id.in_(ids))
    rows = (await connection.execute(query)).mappings().all()
    by_id = {row["id"]: _stored(row) for row in rows}
    return [by_id[number] for number in ids if number in by_id]


def _run(parts: Sequence[StoredPassage]) -> Run:
    first = parts[0]
    return Run(first.file, [part.passage for part in parts])


def _next_batch(iterator: Iterator[_Row | str]) -> list[_Row | str]:
    return list(islice(iterator, _BATCH_PASSAGES))


def _fields(passage: Passage) -> dict[str, Any]:
    return {name: getattr(passage, name) for name in _FIELDS}


def title_of(passage: Passage) -> str:
    """Return the heading, or the first sentence of a file without one."""
    if passage.heading or passage.number:
        return passage.heading or ""
    start, end = split_sentences(passage.text)[0]
    return passage.text[start:end]


def _stored(row: Any) -> StoredPassage:
    return StoredPassage(row["id"], row["file"], Passage(*(row[name] for name in _FIELDS)))


def _searched(weights: dict[str, float], statistics: Statistics) -> dict[str, float]:
    """Return the heaviest stems that occur, no very frequent ones if there are enough others."""
    counts = statistics.counts
    occurring = {stem: weight for stem, weight in weights.items() if counts.get(stem)}
    limit = _MAX_SHARE * statistics.passages
    rare = {stem: weight for stem, weight in occurring.items() if counts[stem] <= limit}
    chosen = rare if len(rare) >= _MIN_RARE_WORDS else occurring
    heaviest = sorted(chosen, key=lambda stem: -chosen[stem] * statistics.idf(stem))
    return {stem: chosen[stem] for stem in heaviest[:_MAX_SEARCHED_WORDS]}
