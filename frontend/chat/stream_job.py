"""One streamed answer of a chat, and the background job that reads it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from api.chat_chunk import Chunk, Progress, Receipt, StoredTurn
from components.background_job import BackgroundJob, JobResult

ChunkStream = AsyncGenerator[Chunk]


@dataclass
class StreamedAnswer(JobResult):
    """An answer as far as it was received; a value that was not reported is None."""

    text: str = ""
    reasoning: str = ""
    progress: Progress = field(default_factory=Progress)
    receipt: Receipt | None = None
    stored: StoredTurn | None = None

    def add_chunk(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            if choice.delta:
                self.text += choice.delta.content or ""
                self.reasoning += choice.delta.reasoning_content or ""
        if extensions := chunk.smolchat:
            self.progress = extensions.progress or self.progress
            self.receipt = extensions.receipt or self.receipt
            self.stored = extensions.conversation or self.stored


class AnswerStreamJob(BackgroundJob):
    """Reads an answer until it is complete, stopped, abandoned or failed.

    `prefix` is the text of an earlier answer that this one continues.
    """

    def __init__(
        self, open_stream: Callable[[], ChunkStream], *, abandoned_seconds: float, prefix: str = ""
    ) -> None:
        self.answer = StreamedAnswer(text=prefix)
        self._open_stream = open_stream
        super().__init__(self._read, self.answer, abandoned_seconds=abandoned_seconds)

    async def _read(self) -> None:
        prefix_length = len(self.answer.text)
        async with aclosing(self._open_stream()) as chunks:
            async for chunk in chunks:
                self.answer.add_chunk(chunk)
                if len(self.answer.text) > prefix_length or self.answer.reasoning:
                    self.answer.state = "writing"
