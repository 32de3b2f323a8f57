"""How much of an answer is formatted, of the shown messages together, and how much is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.chat_chunk import ToolCall
from api.conversation import Message
from sanitize.markdown_blocks import normalize_lines
from sanitize.render_cost import (
    MAX_MESSAGE_COST,
    MAX_PAGE_COST,
    MAX_PLAIN_CHARACTERS,
    code_cost,
    limit_formatting,
)

MAX_TOOL_CALLS = 20
PLAIN_NOTE = "From here on without formatting, which would make the page slow"


@dataclass(frozen=True)
class LimitedAnswer:
    """The starts of both texts are formatted, the rests are plain."""

    text: str
    plain_text: str
    reasoning: str
    plain_reasoning: str
    highlighted_calls: int
    cost: float


def limit_answer(
    text: str, reasoning: str, calls: Sequence[ToolCall], budget: float = MAX_MESSAGE_COST
) -> LimitedAnswer:
    text, reasoning = normalize_lines(text), normalize_lines(reasoning)
    reasoning_start, cost = limit_formatting(reasoning, budget / 2)
    text_start, text_cost = limit_formatting(text, budget - cost)
    cost += text_cost
    count = 0
    for call in calls[:MAX_TOOL_CALLS]:
        cost_with_call = cost + code_cost(arguments(call))
        if cost_with_call > budget:
            break
        cost, count = cost_with_call, count + 1
    return LimitedAnswer(
        text_start,
        text[len(text_start) :],
        reasoning_start,
        reasoning[len(reasoning_start) :],
        count,
        cost,
    )


def formatting_budgets(messages: Iterable[Message]) -> dict[str, float]:
    """Return the budget of each message by its id; the first messages get theirs first."""
    left, budgets = MAX_PAGE_COST, dict[str, float]()
    for message in messages:
        budget = budgets[message.id] = min(MAX_MESSAGE_COST, left)
        calls = message.tool_calls or []
        left -= limit_answer(message.content, message.reasoning or "", calls, budget).cost
    return budgets


def arguments(call: ToolCall) -> str:
    return (call.function and call.function.arguments) or "{}"


def cut_note(text: str) -> str:
    """Return a note about what is not shown of a text, if anything."""
    hidden = len(text) - MAX_PLAIN_CHARACTERS
    return f"{hidden:,} more characters are not shown; export the chat to see them" * (hidden > 0)
