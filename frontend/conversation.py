"""What was said in a chat so far, and how it is sent to a model."""

from dataclasses import dataclass
from typing import Any

from answer_job import Answer
from api_client import Model


@dataclass
class Turn:
    """A question and its answer; a partial answer counts, for it was read."""

    question: str
    answer: Answer


def to_request(
    turns: list[Turn], *, system: str, model: str | None, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Ask for an answer to the last question. What is not chosen is left to the server."""
    messages = [{"role": "system", "content": system.strip()}] if system.strip() else []
    for turn in turns:
        messages.append({"role": "user", "content": turn.question})
        if turn is not turns[-1] and turn.answer.text:
            messages.append({"role": "assistant", "content": turn.answer.text})
    named = {"model": model} if model else {}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return {"messages": messages} | named | streamed | parameters


def about(model: Model) -> str:
    """Say in one line what is known of a model."""
    found = [f"{model.parameters} parameters"] if model.parameters else []
    if model.context_tokens:
        found.append(f"context {model.context_tokens:,}")
    return " · ".join(found)


def facts(answer: Answer) -> str:
    """Say in one line what an answer cost, in numbers that were measured and no others."""
    usage, timings = answer.usage, answer.timings
    found = [answer.model.removeprefix("ai/")]
    # llama.cpp says 0 where there was only one token, for there is no time between one token.
    if speed := timings.get("predicted_per_second"):
        found.append(f"{speed:.1f} tokens/s")
    if answer.first_token_seconds is not None:
        found.append(f"first token {answer.first_token_seconds:.2f} s")
    if usage:
        found += [f"{usage['prompt_tokens']:,} in", f"{usage['completion_tokens']:,} out"]
    found.append(_ending(answer))
    return " · ".join(part for part in found if part)


def _ending(answer: Answer) -> str:
    if answer.state == "finished":
        reasons = {"stop": "", "length": "cut off at the token limit"}
        return reasons.get(answer.finish_reason or "", f"ended by {answer.finish_reason}")
    return "stopped" if answer.state == "stopped" else "broken off" if answer.text else ""
