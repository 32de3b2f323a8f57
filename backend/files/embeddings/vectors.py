"""Vectors as they are stored, and which of them are nearest to another one.

NumPy takes 70 MB: only what runs if there is a model that embeds may import this module.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STORED = np.dtype("<f4")


def to_blob(vector: Sequence[float]) -> bytes:
    """Return a vector, which is not zero, scaled to the length 1 as it is stored."""
    return _unit(vector).astype(_STORED).tobytes()


def combine(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> bytes:
    """Return the weighted sum of the directions of vectors, as one vector is stored."""
    pairs = zip(vectors, weights, strict=False)
    total = np.sum([weight * _unit(vector) for vector, weight in pairs], axis=0)
    blob: bytes = total.astype(_STORED).tobytes()
    return blob


class NearestVectors:
    """The nearest of all vectors that were added, by the cosine of the angle."""

    def __init__(self, vector: bytes, limit: int) -> None:
        self._vector = np.frombuffer(vector, _STORED)
        self._limit = limit
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._scores: NDArray[np.float32] = np.empty(0, np.float32)

    @property
    def ids(self) -> list[int]:
        """Whose vectors they are, the nearest first."""
        return [int(number) for number in self._ids]

    def add(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Add vectors with their ids. It takes milliseconds: call it in a thread."""
        size = self._vector.nbytes
        usable = [(number, blob) for number, blob in rows if len(blob) == size]
        blobs = b"".join([blob for _, blob in usable])
        matrix = np.frombuffer(blobs, _STORED).reshape(len(usable), -1 if usable else size // 4)
        ids = np.array([number for number, _ in usable], np.int64)
        self._ids = np.concatenate([self._ids, ids])
        self._scores = np.concatenate([self._scores, matrix @ self._vector])
        best = np.lexsort((self._ids, -self._scores))[: self._limit]
        self._ids, self._scores = self._ids[best], self._scores[best]


def _unit(vector: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.asarray(vector, np.float64)
    numbers = numbers / np.abs(numbers).max()  # else squares of large numbers would be infinite
    unit: NDArray[np.float64] = numbers / np.linalg.norm(numbers)
    return unit
