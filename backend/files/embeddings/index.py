"""The vectors of passages in the database: which are missing, storing them, and the nearest."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Insert, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from backend.database.database import Database
from backend.database.tables import files, passage_vectors, passages
from backend.files.embeddings.vectors import NearestVectors

_BLOCK_VECTORS = 1000  # that are compared at a time: 1.5 MB if they have 384 numbers
_READ = files.c.status == "processed"


@dataclass(frozen=True, slots=True)
class PassageText:
    """What is embedded of a passage, and where it is."""

    id: int
    file: str
    number: int
    text: str


class VectorIndex:
    """Stores and reads vectors. `embedded_by` is a model and the number of its dimensions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting_files(self, embedded_by: str, limit: int) -> tuple[list[str], int]:
        """Return files that have been read and need vectors, newest first, and how many do."""
        is_waiting = _READ & or_(files.c.embedded_by.is_(None), files.c.embedded_by != embedded_by)
        query = select(files.c.id).where(is_waiting).order_by(files.c.created_at.desc())
        count = select(func.count()).select_from(files).where(is_waiting)
        async with self._database.read_transaction() as connection:
            found = (await connection.execute(query.limit(limit))).scalars().all()
            return list(found), int((await connection.execute(count)).scalar_one())

    async def missing(
        self,
        embedded_by: str,
        file_ids: Sequence[str],
        *,
        after: tuple[str, int],
        limit: int,
    ) -> list[PassageText]:
        """Return passages of files without a vector, that come after a file's passage."""
        vectors, place = passage_vectors.c, tuple_(passages.c.file, passages.c.number)
        has_vector = select(vectors.passage).where(
            vectors.passage == passages.c.id, vectors.embedded_by == embedded_by
        )
        query = (
            select(passages)
            .where(passages.c.file.in_(file_ids), place > after, ~has_vector.exists())
            .order_by(passages.c.file, passages.c.number)
            .limit(limit)
        )
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [
            PassageText(row.id, row.file, row.number, "\n".join(filter(None, row[-2:])))
            for row in rows
        ]

    async def store(self, embedded_by: str, vectors: Sequence[tuple[PassageText, bytes]]) -> None:
        """Store the vectors of passages that still exist, instead of those that they have."""
        if not vectors:
            return
        query = select(passages.c.id, passages.c.file).where(
            passages.c.id.in_([passage.id for passage, _ in vectors])
        )
        async with self._database.write_transaction(is_durable=False) as connection:
            # An id may belong to another file by now. The lock keeps out who deletes the passage.
            rows = await connection.execute(query.with_for_update(read=True, key_share=True))
            existing = {(row.id, row.file) for row in rows}
            values = [
                {"passage": passage.id, "embedded_by": embedded_by, "vector": vector}
                for passage, vector in vectors
                if (passage.id, passage.file) in existing
            ]
            if values:
                await connection.execute(self._upsert(), values)

    async def finish(self, embedded_by: str, file_ids: Sequence[str]) -> None:
        """Store that all passages of these files have vectors."""
        query = update(files).where(files.c.id.in_(file_ids), _READ)
        async with self._database.write_transaction(is_durable=False) as connection:
            await connection.execute(query.values(embedded_by=embedded_by))

    async def find(
        self, embedded_by: str, vector: bytes, file_ids: Sequence[str], limit: int
    ) -> list[int]:
        """Return the ids of the passages of files whose vectors are nearest, the nearest first."""
        nearest, vectors = NearestVectors(vector, limit), passage_vectors.c
        ids_of_files = select(passages.c.id).where(passages.c.file.in_(file_ids))
        query = select(vectors.passage, vectors.vector).where(vectors.embedded_by == embedded_by)
        async with self._database.read_transaction() as connection:
            ids = (await connection.execute(ids_of_files)).scalars().all()
            for start in range(0, len(ids), _BLOCK_VECTORS):
                block = query.where(vectors.passage.in_(ids[start : start + _BLOCK_VECTORS]))
                rows = (await connection.execute(block)).all()
                await asyncio.to_thread(nearest.add, [(row[0], row[1]) for row in rows])
        return nearest.ids

    def _upsert(self) -> Insert:
        is_sqlite = self._database.dialect == "sqlite"
        query = (sqlite.insert if is_sqlite else postgresql.insert)(passage_vectors)
        changes = {name: query.excluded[name] for name in ("embedded_by", "vector")}
        return query.on_conflict_do_update(index_elements=["passage"], set_=changes)
