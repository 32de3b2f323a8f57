"""Have a model put the best windows of a search in order, if it answers in time."""

import logging
import time
from collections.abc import Sequence
from math import inf

from backend.errors import SmolChatError
from backend.files.retrieval.windows import Window
from backend.model_server.reranking import RerankModel

RERANKED_WINDOWS = 20
_TIMEOUT_SECONDS = 3.0
_PAUSE_SECONDS = 15.0  # after a failure: nobody waits again for what does not answer
_MAX_CHARACTERS = 2000  # of a question, and of a window

logger = logging.getLogger(__name__)


class Reranking:
    def __init__(self, model: RerankModel, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._paused_until = -inf

    async def reorder(self, question: str, windows: Sequence[Window]) -> list[Window]:
        """Return the windows with the first ones reordered, or as they are after a failure."""
        first, others = windows[:RERANKED_WINDOWS], windows[RERANKED_WINDOWS:]
        if len(first) < 2 or not question.strip() or time.monotonic() < self._paused_until:
            return list(windows)
        texts = [window.text[:_MAX_CHARACTERS] for window in first]
        try:
            order = await self._model.rank(
                question[:_MAX_CHARACTERS], texts, timeout_seconds=self._timeout_seconds
            )
        except SmolChatError as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            logger.warning("Passages are not reranked: %s", error.message)
            return list(windows)
        return [*(first[index] for index in order), *others]
