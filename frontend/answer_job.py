"""One streaming answer as a job in a thread of its own, which can be stopped at any moment.

A script of Streamlit's that waits on a socket cannot be stopped, and what it has read is lost
with it. So the job reads, the page looks at what there is, and a job that nobody looks at any
more (a closed tab, a reload) ends itself.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from answer_chunk import Chunk, Timings, Usage
from api_client import ApiError

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
_UNEXPECTED = ApiError("Something unexpected went wrong in the page; its log has the details.")

Chunks = AsyncGenerator[Chunk]


@dataclass
class Answer:
    """What is there of an answer, and how it came about; what was not measured is absent."""

    text: str = ""
    reasoning: str = ""
    state: Literal["waiting", "writing", "finished", "stopped", "failed"] = "waiting"
    error: ApiError | None = None
    model: str = ""
    finish_reason: str | None = None
    first_token_seconds: float | None = None
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)

    @property
    def is_over(self) -> bool:
        return self.state not in ("waiting", "writing")

    def take(self, chunk: Chunk) -> None:
        """Add a chunk of the stream."""
        self.model = self.model or chunk.model or ""
        self.usage = chunk.usage or self.usage
        self.timings = chunk.timings or self.timings
        for choice in chunk.choices:
            if choice.delta:
                self.text += choice.delta.content or ""
                self.reasoning += choice.delta.reasoning_content or ""
            self.finish_reason = choice.finish_reason or self.finish_reason


class AnswerJob:
    """Reads an answer until it is whole, stopped, forsaken, or has failed."""

    def __init__(self, chunks: Callable[[], Chunks], *, forsaken_seconds: float) -> None:
        self.answer = Answer()
        self._chunks = chunks
        self._forsaken_seconds = forsaken_seconds
        self._started = self._seen = time.monotonic()
        self._is_stopped = threading.Event()
        self._is_over = threading.Event()
        threading.Thread(target=asyncio.run, args=[self._run()], daemon=True).start()

    def stop(self) -> None:
        """End the answer where it is; return when it has ended."""
        self._is_stopped.set()
        self._is_over.wait(timeout=2)

    def look(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether the answer is over."""
        self._seen = time.monotonic()
        return self._is_over.wait(seconds)

    async def _run(self) -> None:
        reading = asyncio.create_task(self._read())
        while not reading.done():
            if self._is_stopped.is_set() or self._is_forsaken():
                reading.cancel()
            await asyncio.wait({reading}, timeout=POLL_SECONDS)
        try:
            self.answer.state = "stopped" if reading.cancelled() else reading.result()
        except ApiError as error:
            self._fail(error)
        except Exception:  # a mistake of ours must not leave the page waiting for ever
            logger.exception("unexpected error while an answer was read")
            self._fail(_UNEXPECTED)
        finally:
            self._is_over.set()

    async def _read(self) -> Literal["finished"]:
        async with aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                self.answer.take(chunk)
                if self.answer.state == "waiting" and (self.answer.text or self.answer.reasoning):
                    self.answer.first_token_seconds = time.monotonic() - self._started
                    self.answer.state = "writing"
        return "finished"

    def _fail(self, error: ApiError) -> None:
        self.answer.error = error
        self.answer.state = "failed"

    def _is_forsaken(self) -> bool:
        return time.monotonic() - self._seen > self._forsaken_seconds
