"""The index of the words of passages: the same queries for SQLite (FTS5) and Postgres (tsvector).

Both are given stems, not texts, so that both have the same words. They choose candidates in nearly
the same order; what is found is ranked from the texts.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.files.retrieval.windows import Statistics
from backend.files.retrieval.words import stem_text

# What a word of the title counts, beside one of the text.
TITLE_WEIGHT = 3
_MAX_POSITIONS = 255  # of one word, and the last position that Postgres stores
_LAST_POSITION = 16_383
# The ranks of positions with the labels D, C, B and A: of the text, and of the title.
_RANKS = "'{0.1, 0.1, 0.1, 0.2}'"
_FIND_IN_POSTGRES = (
    "SELECT passages.id FROM passage_words JOIN passages ON passages.id = passage_words.passage"
    " WHERE words @@ CAST(:query AS tsquery) AND passages.file = ANY(:files)"
)


class TextIndex(Protocol):
    """The queries of one kind of database."""

    def analyze(self, text: str, title: str) -> dict[str, Any]:
        """Return what is indexed of a passage. It takes long: call it in a thread."""

    async def insert(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Index passages: what `analyze` returned, and the `id`."""

    async def delete(self, connection: AsyncConnection, ids: Sequence[int]) -> None: ...

    async def count(
        self, connection: AsyncConnection, stems: Sequence[str], files: Sequence[str]
    ) -> dict[str, int]:
        """Return how many passages of these files have each stem."""

    async def find(
        self,
        connection: AsyncConnection,
        weights: dict[str, float],
        files: Sequence[str],
        limit: int,
    ) -> list[int]:
        """Return the ids of the passages that match the stems best, best first."""


def text_index(dialect: str) -> TextIndex:
    return SqliteTextIndex() if dialect == "sqlite" else PostgresTextIndex()


class _Queries:
    """Queries of FTS5, restricted to some of the passages."""

    def __init__(self, passages: str, condition: str) -> None:
        self.count = text(
            f"SELECT stem.value, (SELECT count(*) FROM {passages}"  # noqa: S608  # constants
            f" WHERE passage_words MATCH stem.value AND {condition})"
            " FROM json_each(:stems) AS stem"
        )
        self.find = text(
            f"SELECT passage_words.rowid FROM {passages}"  # noqa: S608
            f" WHERE passage_words MATCH :query AND {condition}"
            " ORDER BY bm25(passage_words, 1, :title_weight), passage_words.rowid LIMIT :limit"
        )


_MAX_SPANNED_FILES = 20
_SPANNED = _Queries("passage_words", "passage_words.rowid BETWEEN :first AND :last")
_JOINED = _Queries(
    "passage_words JOIN passages ON passages.id = passage_words.rowid",
    "passages.file IN (SELECT value FROM json_each(:files))",
)


class SqliteTextIndex:
    _insert = text("INSERT INTO passage_words(rowid, words, title) VALUES (:id, :words, :title)")
    _delete = text("DELETE FROM passage_words WHERE rowid IN (SELECT value FROM json_each(:ids))")
    _span = text(
        "SELECT min(first) AS first, max(last) AS last, sum(passages) AS passages FROM (SELECT"
        " (SELECT id FROM passages WHERE file = value ORDER BY number LIMIT 1) AS first,"
        " (SELECT id FROM passages WHERE file = value ORDER BY number DESC LIMIT 1) AS last,"
        " (SELECT max(number) + 1 FROM passages WHERE file = value) AS passages"
        " FROM json_each(:files))"
    )

    def analyze(self, text: str, title: str) -> dict[str, Any]:
        return {"words": stem_text(text), "title": stem_text(title)}

    async def insert(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        await connection.execute(self._insert, rows)

    async def delete(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        await connection.execute(self._delete, {"ids": json.dumps(list(ids))})

    async def count(
        self, connection: AsyncConnection, stems: Sequence[str], files: Sequence[str]
    ) -> dict[str, int]:
        quoted = {_quote(stem): stem for stem in stems}
        queries, values = await self._restrict(connection, files)
        values["stems"] = json.dumps(list(quoted))
        rows = (await connection.execute(queries.count, values)).all()
        return {quoted[name]: count for name, count in rows}

    async def find(
        self,
        connection: AsyncConnection,
        weights: dict[str, float],
        files: Sequence[str],
        limit: int,
    ) -> list[int]:
        # A word that stands twice counts twice.
        smallest = min(weights.values())
        words = [
            _quote(stem)
            for stem, weight in weights.items()
            for _ in range(min(round(weight / smallest), 4))
        ]
        queries, values = await self._restrict(connection, files)
        values |= {"query": " OR ".join(words), "title_weight": TITLE_WEIGHT, "limit": limit}
        return list((await connection.execute(queries.find, values)).scalars())

    async def _restrict(
        self, connection: AsyncConnection, files: Sequence[str]
    ) -> tuple[_Queries, dict[str, Any]]:
        """Return queries in these files only, and their values.

        Passages of few files often have ids without a gap. Comparing ids takes a fraction of the
        time that looking up the file of each passage does.
        """
        values: dict[str, Any] = {"files": json.dumps(list(files))}
        if 0 < len(files) <= _MAX_SPANNED_FILES:
            span = (await connection.execute(self._span, values)).one()
            if span.passages and span.last - span.first + 1 == span.passages:
                return _SPANNED, {"first": span.first, "last": span.last}
        return _JOINED, values


class PostgresTextIndex:
    _insert = text(
        "INSERT INTO passage_words(passage, words) VALUES (:id, CAST(:words AS tsvector))"
    )
    _delete = text("DELETE FROM passage_words WHERE passage = ANY(:ids)")
    _count = text(
        "SELECT stem, (SELECT count(*) FROM passage_words JOIN passages"
        " ON passages.id = passage_words.passage"
        " WHERE passage_words.words @@ CAST(quote_literal(stem) AS tsquery)"
        " AND passages.file = ANY(:files)) AS passages FROM unnest(CAST(:stems AS text[])) AS stem"
    )

    def analyze(self, text: str, title: str) -> dict[str, Any]:
        return {"words": _tsvector(text, title)}

    async def insert(self, connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        await connection.execute(self._insert, rows)

    async def delete(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        await connection.execute(self._delete, {"ids": list(ids)})

    async def count(
        self, connection: AsyncConnection, stems: Sequence[str], files: Sequence[str]
    ) -> dict[str, int]:
        values = {"stems": list(stems), "files": list(files)}
        rows = (await connection.execute(self._count, values)).all()
        return {row.stem: row.passages for row in rows}

    async def find(
        self,
        connection: AsyncConnection,
        weights: dict[str, float],
        files: Sequence[str],
        limit: int,
    ) -> list[int]:
        counts = await self.count(connection, list(weights), files)
        passages = max(sum(counts.values()), 1)
        statistics = Statistics(passages, counts)
        stems = list(weights)
        # The rank of one word grows with how often it occurs, ever more slowly, as in BM25.
        ranks = " + ".join(
            f"CAST(:w{n} AS float4) * ts_rank({_RANKS}, words, CAST(:s{n} AS tsquery), 1)"
            for n in range(len(stems))
        )
        query = text(f"{_FIND_IN_POSTGRES} ORDER BY {ranks} DESC, passages.id LIMIT :limit")
        values: dict[str, Any] = {
            "query": " | ".join(map(_literal, stems)),
            "files": list(files),
            "limit": limit,
        }
        for n, stem in enumerate(stems):
            values[f"s{n}"] = _literal(stem)
            values[f"w{n}"] = weights[stem] * statistics.idf(stem)
        return list((await connection.execute(query, values)).scalars())


def _quote(stem: str) -> str:
    """Return a string of FTS5's query language."""
    return '"' + stem.replace('"', '""') + '"'


def _literal(stem: str) -> str:
    """Return a word of Postgres's types `tsvector` and `tsquery`."""
    return "'" + stem.replace("\\", "\\\\").replace("'", "''") + "'"


def _tsvector(words: str, title: str) -> str:
    places: dict[str, list[str]] = {}
    stems = stem_text(title).split()
    for n, stem in enumerate(stems):
        places.setdefault(stem, []).append(f"{min(n + 1, _LAST_POSITION)}A")
    for n, stem in enumerate(stem_text(words).split(), len(stems)):
        places.setdefault(stem, []).append(str(min(n + 1, _LAST_POSITION)))
    return " ".join(
        f"{_literal(stem)}:{','.join(positions[:_MAX_POSITIONS])}"
        for stem, positions in places.items()
    )
