"""What was said in a chat so far, and how it is sent to a model."""

from dataclasses import dataclass
from typing import Any

from answer_job import Answer


@dataclass
class Turn:
    """A question and its answer; a partial answer counts, for it was read."""

    question: str
    answer: Answer
    earlier: Answer | None = None  # the last good one, while and after another is asked for

    @property
    def shown(self) -> Answer:
        """The answer, or the earlier one where a new one was asked for and did not come."""
        answer = self.answer
        is_missing = answer.state == "failed" or (answer.state == "stopped" and not answer.text)
        return self.earlier if self.earlier and is_missing else answer

    def begin(self, answer: Answer) -> None:
        """Take another answer in the place of the one that is there."""
        self.earlier = self.shown if self.shown.text else None
        self.answer = answer


def to_request(
    turns: list[Turn], *, system: str, model: str | None, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Ask for an answer to the last question. What is not chosen is left to the server."""
    messages = [{"role": "system", "content": system.strip()}] if system.strip() else []
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        if turn is not turns[-1] and turn.shown.text:
            messages.append({"role": "assistant", "content": turn.shown.text})
    named = {"model": model} if model else {}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return {"messages": messages} | named | streamed | parameters


def facts(answer: Answer) -> str:
    """Say in one line what an answer cost, in numbers that were measured and no others."""
    usage, speed = answer.usage, answer.timings.predicted_per_second
    found = [answer.model.removeprefix("ai/")]
    if speed is not None:
        found.append(f"{speed:.1f} tokens/s")
    if answer.first_token_seconds is not None:
        found.append(f"first token {answer.first_token_seconds:.2f} s")
    for tokens, way in ((usage.prompt_tokens, "in"), (usage.completion_tokens, "out")):
        if tokens is not None:
            found.append(f"{tokens:,} {way}")
    found.append(_ending(answer))
    return " · ".join(part for part in found if part)


def _ending(answer: Answer) -> str:
    if answer.state == "finished":
        if not answer.text:
            return "the model wrote nothing"
        reasons = {"stop": "", "length": "cut off at the token limit"}
        return reasons.get(answer.finish_reason or "", f"ended by {answer.finish_reason}")
    return "stopped" if answer.state == "stopped" else "broken off" if answer.text else ""
