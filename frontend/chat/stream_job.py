"""One streamed answer of a chat, and the background job that reads it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from api.chat_chunk import (
    Chunk,
    Delta,
    FileCitation,
    Function,
    Progress,
    Receipt,
    Retrieval,
    Step,
    StoredTurn,
    ToolCall,
)
from api.errors import ApiError
from chat.answer_round import AnswerRound
from components.background_job import ABANDONED_SECONDS, BackgroundJob, JobResult

ChunkStream = AsyncGenerator[Chunk]
STOPPED_CODE = "answer_stopped"


@dataclass
class StreamedAnswer(JobResult):
    """An answer as far as it was received; a value that was not reported is None.

    `prefix` is the text of an earlier answer that this one continues. The last of the `rounds` is
    the one that the model writes.
    """

    prefix: str = ""
    rounds: list[AnswerRound] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    receipt: Receipt | None = None
    stored: StoredTurn | None = None
    citations: Sequence[FileCitation] = ()
    retrieval: Retrieval | None = None

    def __post_init__(self) -> None:
        self.rounds.append(AnswerRound(self.prefix))

    @property
    def text(self) -> str:
        return self.rounds[-1].text

    @property
    def reasoning(self) -> str:
        return self.rounds[-1].reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        return self.rounds[-1].tool_calls

    @property
    def has_begun(self) -> bool:
        last = self.rounds[-1]
        return len(self.rounds) > 1 or last != AnswerRound(self.prefix)

    def add_chunk(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            if choice.delta:
                self._add_delta(choice.delta)
        if extensions := chunk.smolchat:
            if extensions.conversation and self.stored:  # all of it follows once more
                self.rounds = [AnswerRound(self.prefix)]
            if extensions.reasoning_so_far:
                self._move_to_reasoning(extensions.reasoning_so_far.text)
            if extensions.step:
                self._add_step(extensions.step)
            if later := extensions.retrieval:
                self.retrieval = self.retrieval.merged(later) if self.retrieval else later
            self.progress = extensions.progress or self.progress
            self.receipt = extensions.receipt or self.receipt
            self.stored = extensions.conversation or self.stored

    def _add_delta(self, delta: Delta) -> None:
        if (delta.content or delta.reasoning_content) and self.rounds[-1].steps:
            self.rounds.append(AnswerRound())
        self.rounds[-1].text += delta.content or ""
        self.rounds[-1].reasoning += delta.reasoning_content or ""
        for part in delta.tool_calls or ():
            self._add_tool_call(part)
        self.citations = delta.annotations or self.citations

    def _move_to_reasoning(self, text: str) -> None:
        last = self.rounds[-1]
        last.text = self.prefix if len(self.rounds) == 1 else ""
        last.reasoning += text

    def _add_step(self, step: Step) -> None:
        """Add a step, or change the one of the same call."""
        for steps in (each.steps for each in self.rounds):
            for number, other in enumerate(steps):
                if other.id == step.id:
                    steps[number] = step
                    return
        self.rounds[-1].steps.append(step)

    def _add_tool_call(self, part: ToolCall) -> None:
        calls = self.tool_calls
        for call in calls:
            if call.index == part.index and call.function:
                call.function.add(part.function)
                return
        calls.append(part.model_copy(update={"function": part.function or Function()}))


class AnswerStreamJob(BackgroundJob):
    """Reads an answer until it is complete, stopped, abandoned or failed.

    The API goes on with an answer that is no longer read here.
    """

    def __init__(
        self,
        open_stream: Callable[[], ChunkStream],
        *,
        abandoned_seconds: float = ABANDONED_SECONDS,
        prefix: str = "",
        rounds: Sequence[AnswerRound] = (),
    ) -> None:
        """Accept the text of an answer to continue, or the rounds of one with tools."""
        self.answer = StreamedAnswer(prefix=prefix, rounds=list(rounds))
        self._open_stream = open_stream
        super().__init__(self._read, self.answer, abandoned_seconds=abandoned_seconds)

    async def _read(self) -> None:
        try:
            async with aclosing(self._open_stream()) as chunks:
                async for chunk in chunks:
                    self.answer.add_chunk(chunk)
                    if self.answer.has_begun:
                        self.answer.state = "writing"
        except ApiError as error:
            if error.code != STOPPED_CODE:  # by another tab
                raise
