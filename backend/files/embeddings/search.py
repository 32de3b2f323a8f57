"""Find the passages whose meaning is nearest to a question's."""

import asyncio
import logging
import time
from collections.abc import Sequence
from math import inf

from backend.errors import SmolChatError
from backend.files.embeddings.index import VectorIndex
from backend.files.embeddings.vectors import combine
from backend.model_server.embeddings import EmbeddingModel

_TIMEOUT_SECONDS = 2.0  # then a search is by words alone
_PAUSE_SECONDS = 15.0  # after a failure: nobody waits again for what does not answer
_MAX_CHARACTERS = 2000  # of a question
_PREVIOUS_WEIGHT = 0.5  # of the question before, as in search by words

logger = logging.getLogger(__name__)


class VectorSearch:
    def __init__(
        self,
        index: VectorIndex,
        model: EmbeddingModel,
        *,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._index = index
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._paused_until = -inf

    async def find(
        self, question: str, previous_question: str, files: Sequence[str], limit: int
    ) -> list[int]:
        """Return the ids of the nearest passages, the nearest first.

        There are none if the model server does not answer in time.
        """
        texts = [text[:_MAX_CHARACTERS] for text in (question, previous_question) if text.strip()]
        if not texts or not files or time.monotonic() < self._paused_until:
            return []
        try:
            vectors = await self._model.embed(texts, timeout_seconds=self._timeout_seconds)
            vector = await asyncio.to_thread(combine, vectors, (1.0, _PREVIOUS_WEIGHT))
            async with asyncio.timeout(self._timeout_seconds):
                return await self._index.find(self._model.key, vector, files, limit)
        except (SmolChatError, TimeoutError) as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            problem = error.message if isinstance(error, SmolChatError) else "it took too long"
            logger.warning("A search is by words alone: %s", problem)
            return []
