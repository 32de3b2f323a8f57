"""One streaming answer of a chat, and the job that reads it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from api.chat_chunk import Chunk, Progress, Receipt, StoredTurn
from components.background_job import BackgroundJob, JobResult

ChunkStream = AsyncGenerator[Chunk]


@dataclass
class Answer(JobResult):
    """What is there of an answer, and how it came about; what was not measured is absent."""

    text: str = ""
    reasoning: str = ""
    progress: Progress = field(default_factory=Progress)
    receipt: Receipt | None = None
    stored: StoredTurn | None = None

    def add_chunk(self, chunk: Chunk) -> None:
        """Add a chunk of the stream."""
        for choice in chunk.choices:
            if choice.delta:
                self.text += choice.delta.content or ""
                self.reasoning += choice.delta.reasoning_content or ""
        if told := chunk.smolchat:
            self.progress = told.progress or self.progress
            self.receipt = told.receipt or self.receipt
            self.stored = told.conversation or self.stored


class AnswerStreamJob(BackgroundJob):
    """Reads an answer until it is whole, stopped, forsaken, or has failed."""

    def __init__(
        self, chunks: Callable[[], ChunkStream], *, forsaken_seconds: float, begun: str = ""
    ) -> None:
        self.answer = Answer(text=begun)  # an earlier answer that this one goes on with
        self._chunks = chunks
        super().__init__(self._read, self.answer, forsaken_seconds=forsaken_seconds)

    async def _read(self) -> None:
        begun = len(self.answer.text)
        async with aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                self.answer.add_chunk(chunk)
                if len(self.answer.text) > begun or self.answer.reasoning:
                    self.answer.state = "writing"
