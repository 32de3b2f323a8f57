"""Embed the passages of files in the background, after the files have been read.

What is to be done is in the database alone: it goes on after a restart, and begins again when there
is another model. A failure is retried, and concerns neither the files nor search by words.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from backend.errors import ModelServerError, SmolChatError
from backend.files.embeddings.index import PassageText, VectorIndex
from backend.files.embeddings.vectors import to_blob
from backend.model_server.embeddings import EmbeddingModel

_POLL_SECONDS = 5.0  # between two looks for files that have been read
_MAX_RETRY_SECONDS = 300.0
_TIMEOUT_SECONDS = 120.0  # of a request: the model may have to be loaded
_BATCH_FILES = 64
_BATCH_PASSAGES = 16  # of one request: questions wait for it
_MIN_CHARACTERS = 200  # to which a text is cut if the model does not take more
_PROBE = "passage"  # a text that every model takes

logger = logging.getLogger(__name__)


class VectorIndexer:
    def __init__(
        self,
        index: VectorIndex,
        model: EmbeddingModel,
        *,
        poll_seconds: float = _POLL_SECONDS,
        retry_seconds: float = 2.0,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._index = index
        self._model = model
        self._poll_seconds = poll_seconds
        self._retry_seconds = retry_seconds  # after a failure; twice as long after the next
        self._timeout_seconds = timeout_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Embed what has been read until the end of the block."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self) -> None:
        delay = self._retry_seconds
        while True:
            try:
                await self._embed_waiting()
            except SmolChatError as error:
                logger.warning("Passages cannot be embedded now: %s", error.message)
            except Exception:
                logger.exception("Passages could not be embedded")
            else:
                delay = self._retry_seconds
                await asyncio.sleep(self._poll_seconds)
                continue
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_RETRY_SECONDS)

    async def _embed_waiting(self) -> None:
        if self._model.dimensions is None:
            await self._embed([_PROBE])
        embedded_by = self._model.key
        while True:
            files, self._model.waiting_files = await self._index.waiting_files(
                embedded_by, _BATCH_FILES
            )
            if not files:
                return
            await self._embed_files(embedded_by, files)

    async def _embed_files(self, embedded_by: str, files: Sequence[str]) -> None:
        after = ("", -1)
        while batch := await self._index.missing(
            embedded_by, files, after=after, limit=_BATCH_PASSAGES
        ):
            vectors = await self._embed_each([passage.text for passage in batch])
            if self._model.key != embedded_by:
                raise ModelServerError("The embedding model now sends vectors of another length.")
            await self._index.store(embedded_by, await asyncio.to_thread(_rows, batch, vectors))
            after = (batch[-1].file, batch[-1].number)
        await self._index.finish(embedded_by, files)

    async def _embed_each(self, texts: list[str]) -> list[list[float] | None]:
        """Return the vector of each text, or None for one that the model does not take.

        Some servers refuse a text that is longer than their model's context, and all with it.

        Raises:
            SmolChatError: It is not one of the texts that is at fault.
        """
        try:
            return [*await self._embed(texts)]
        except SmolChatError:
            await self._embed([_PROBE])
        if len(texts) > 1:
            middle = len(texts) // 2
            first = await self._embed_each(texts[:middle])
            return first + await self._embed_each(texts[middle:])
        text = texts[0]
        if len(text) > _MIN_CHARACTERS:
            return await self._embed_each([text[: max(len(text) // 2, _MIN_CHARACTERS)]])
        logger.warning("The embedding model does not take a passage, which is found by words only")
        return [None]

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        return await self._model.embed(texts, timeout_seconds=self._timeout_seconds)


def _rows(
    batch: Sequence[PassageText], vectors: Sequence[Sequence[float] | None]
) -> list[tuple[PassageText, bytes]]:
    pairs = zip(batch, vectors, strict=True)
    return [(passage, to_blob(vector) if vector else b"") for passage, vector in pairs]
