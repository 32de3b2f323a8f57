"""How much of an answer is formatted, of the shown messages together, and how much is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from api.chat_chunk import ToolCall
from chat.answer_round import AnswerRound
from chat.thread_items import ThreadItem
from sanitize.markdown_blocks import normalize_lines
from sanitize.render_cost import (
    MAX_MESSAGE_COST,
    MAX_PAGE_COST,
    MAX_PLAIN_CHARACTERS,
    code_cost,
    limit_formatting,
)

MAX_TOOL_CALLS = 20
MAX_STEPS = 50
_STEP_COST = 300.0  # two blocks of code that are not highlighted
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
    shown_steps: int = 0


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


def limit_rounds(
    rounds: Iterable[AnswerRound], budget: float = MAX_MESSAGE_COST
) -> list[LimitedAnswer]:
    """Limit each round of an answer; the first ones get their budget first."""
    limited, step_count = list[LimitedAnswer](), 0
    for each in rounds:
        calls = each.open_calls
        answer = limit_answer(each.text, each.reasoning, calls, budget)
        left = min(int((budget - answer.cost) / _STEP_COST), MAX_STEPS - step_count)
        count = min(len(each.steps), max(left, 0))
        step_count += count
        cost = answer.cost + count * _STEP_COST
        limited.append(replace(answer, shown_steps=count, cost=cost))
        budget -= cost
    return limited


def formatting_budgets(items: Iterable[ThreadItem]) -> dict[str, float]:
    """Return the budget of each item by its id; the first items get theirs first."""
    left, budgets = MAX_PAGE_COST, dict[str, float]()
    for item in items:
        budget = budgets[item.id] = min(MAX_MESSAGE_COST, left)
        left -= sum(limited.cost for limited in limit_rounds(item.rounds, budget))
    return budgets


def arguments(call: ToolCall) -> str:
    return (call.function and call.function.arguments) or "{}"


def cut_note(text: str) -> str:
    """Return a note about what is not shown of a text, if anything."""
    hidden = len(text) - MAX_PLAIN_CHARACTERS
    return f"{hidden:,} more characters are not shown; export the chat to see them" * (hidden > 0)
