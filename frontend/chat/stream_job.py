"""One streamed answer of a chat, and the background job that reads it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from api.chat_chunk import Chunk, Delta, Function, Progress, Receipt, StoredTurn, ToolCall
from components.background_job import BackgroundJob, JobResult

ChunkStream = AsyncGenerator[Chunk]


@dataclass
class StreamedAnswer(JobResult):
    """An answer as far as it was received; a value that was not reported is None.

    `prefix` is the text of an earlier answer that this one continues.
    """

    prefix: str = ""
    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    receipt: Receipt | None = None
    stored: StoredTurn | None = None

    @property
    def has_begun(self) -> bool:
        return self.text != self.prefix or bool(self.reasoning or self.tool_calls)

    def add_chunk(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            if choice.delta:
                self._add_delta(choice.delta)
        if extensions := chunk.smolchat:
            if extensions.reasoning_so_far:
                self.text = self.prefix
                self.reasoning += extensions.reasoning_so_far.text
            self.progress = extensions.progress or self.progress
            self.receipt = extensions.receipt or self.receipt
            self.stored = extensions.conversation or self.stored

    def _add_delta(self, delta: Delta) -> None:
        self.text += delta.content or ""
        self.reasoning += delta.reasoning_content or ""
        for part in delta.tool_calls or ():
            self._add_tool_call(part)

    def _add_tool_call(self, part: ToolCall) -> None:
        for call in self.tool_calls:
            if call.index == part.index and call.function:
                call.function.add(part.function)
                return
        self.tool_calls.append(part.model_copy(update={"function": part.function or Function()}))


class AnswerStreamJob(BackgroundJob):
    """Reads an answer until it is complete, stopped, abandoned or failed."""

    def __init__(
        self, open_stream: Callable[[], ChunkStream], *, abandoned_seconds: float, prefix: str = ""
    ) -> None:
        self.answer = StreamedAnswer(prefix=prefix, text=prefix)
        self._open_stream = open_stream
        super().__init__(self._read, self.answer, abandoned_seconds=abandoned_seconds)

    async def _read(self) -> None:
        async with aclosing(self._open_stream()) as chunks:
            async for chunk in chunks:
                self.answer.add_chunk(chunk)
                if self.answer.has_begun:
                    self.answer.state = "writing"
