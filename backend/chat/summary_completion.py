"""A summary of files by the model: of each part of them, then of these summaries."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from backend.completions.completion import Completion
from backend.completions.queue import QueueSlot
from backend.completions.receipt import UsageTracker
from backend.files.answers.prompts import part_prompt
from backend.files.answers.summary_parts import join_texts
from backend.model_server.answers.json_text import parse_object
from backend.model_server.answers.message_builder import MessageBuilder
from backend.protocol import ExtensionOptions

_MAX_TOKENS = 200  # of the summary of a part
_MAX_ROUNDS = 4  # each leaves a quarter of the text, or less
# Of the request, those that the requests for the parts have too.
_PARAMETERS = ("model", "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed")
_COUNTS = ("prompt_tokens", "completion_tokens")


@dataclass(kw_only=True)
class SummaryCompletion(Completion):
    """The completion that summarizes `parts`, each of at most `part_tokens`.

    `ask` returns the messages of the last request, given the text that it is to summarize.
    """

    parts: Sequence[str]
    part_tokens: int
    ask: Callable[[str], list[dict[str, Any]]]
    _requests: list[Completion] = field(default_factory=list)  # for the parts

    async def stream(self, held_slot: QueueSlot | None = None) -> AsyncGenerator[bytes]:
        """Yield the progress of the parts, then the events of the summary, or it as one chunk.

        Raises:
            SmolChatError: The model server failed.
        """
        self.usage = UsageTracker(self.body["model"], started_at=self.started_at)
        texts = list(self.parts)
        for _ in range(_MAX_ROUNDS):
            if len(texts) == 1:
                break
            summaries = list[str]()
            for number, text in enumerate(texts, 1):
                if self.body["stream"] and self.options.progress:
                    yield self._progress_event("summarising", part=number, parts=len(texts))
                summaries.append(await self._summarize(text))
            texts = join_texts(summaries, self.part_tokens, "\n\n")
        self.body["messages"] = self.ask("\n\n".join(texts))
        async with aclosing(super().stream(held_slot)) as chunks:
            async for chunk in chunks:
                yield chunk

    def receipt(self) -> dict[str, Any]:
        """Return the receipt of the last request, with the tokens of all."""
        receipt = super().receipt()
        return receipt | self.total_usage(receipt)

    def total_usage(self, last: dict[str, Any]) -> dict[str, Any]:
        """Return the counts of tokens of all requests, given those of the last one."""
        usages = [request.usage for request in self._requests]
        counts = {name: [last.get(name), *(getattr(u, name) for u in usages)] for name in _COUNTS}
        return {name: None if None in each else sum(each) for name, each in counts.items()}

    async def _summarize(self, text: str) -> str:
        body = {name: self.body[name] for name in _PARAMETERS if name in self.body}
        body["messages"] = [{"role": "user", "content": part_prompt(text)}]
        body["max_tokens"] = min(_MAX_TOKENS, max(self.part_tokens // 4, 1))
        request = Completion(
            body=body | {"stream": False},
            options=ExtensionOptions(deterministic=self.options.deterministic),
            model_server=self.model_server,
            queue=self.queue,
            metrics=self.metrics,
        )
        self._requests.append(request)
        message = MessageBuilder(limits=self.model_server.limits)
        message.add(parse_object(await request.read()))
        return str(message.message_fields()["content"])
