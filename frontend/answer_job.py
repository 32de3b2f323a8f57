"""One streaming answer of a chat, and the job that reads it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from answer_chunk import Chunk, Timings, Usage
from job import Job, Outcome

Chunks = AsyncGenerator[Chunk]


@dataclass
class Answer(Outcome):
    """What is there of an answer, and how it came about; what was not measured is absent."""

    text: str = ""
    reasoning: str = ""
    model: str = ""
    finish_reason: str | None = None
    first_token_seconds: float | None = None
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)

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


class AnswerJob(Job):
    """Reads an answer until it is whole, stopped, forsaken, or has failed."""

    def __init__(self, chunks: Callable[[], Chunks], *, forsaken_seconds: float) -> None:
        self.answer = Answer()
        self._chunks = chunks
        self._started = time.monotonic()
        super().__init__(self._read, self.answer, forsaken_seconds=forsaken_seconds)

    async def _read(self) -> None:
        async with aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                self.answer.take(chunk)
                if self.answer.state == "waiting" and (self.answer.text or self.answer.reasoning):
                    self.answer.first_token_seconds = time.monotonic() - self._started
                    self.answer.state = "writing"
