"""How much of an answer, and of all answers of a page, is formatted."""

from api.chat_chunk import Function, ToolCall
from chat.answer_limits import cut_note, formatting_budgets, limit_answer
from chat.thread_items import ThreadItem
from sanitize.render_cost import MAX_MESSAGE_COST, MAX_PAGE_COST
from tests.support.messages import message

LONG = "- *a* `b`\n" * 10_000


def call(arguments: str | None) -> ToolCall:
    return ToolCall(index=0, function=Function(name="f", arguments=arguments))


def test_ordinary_answer_is_formatted_as_a_whole() -> None:
    limited = limit_answer("*a*\r\nb", "because", [call('{"a": 1}'), call(None)])
    assert (limited.text, limited.plain_text) == ("*a*\nb", "")
    assert (limited.reasoning, limited.plain_reasoning) == ("because", "")
    assert limited.highlighted_calls == 2


def test_reasoning_leaves_half_of_the_budget_to_the_text() -> None:
    limited = limit_answer(LONG, LONG, [call("[" + "1," * 5000 + "1]")])
    assert limited.text + limited.plain_text == LONG
    assert limited.reasoning + limited.plain_reasoning == LONG
    assert 0 < len(limited.reasoning) <= len(limited.text)
    assert limited.highlighted_calls == 0
    assert limited.cost <= MAX_MESSAGE_COST


def test_first_messages_get_their_budget_first() -> None:
    items = [
        ThreadItem([message(str(number), None, role="assistant", content=LONG)])
        for number in range(10)
    ]
    budgets = list(formatting_budgets(items).values())
    assert budgets[0] == MAX_MESSAGE_COST
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[-1] < 50
    costs = [limit_answer(LONG, "", [], budget).cost for budget in budgets]
    assert sum(costs) <= MAX_PAGE_COST


def test_note_says_how_much_was_cut() -> None:
    assert cut_note("a" * 100_000) == ""
    assert cut_note("a" * 101_500).startswith("1,500 more characters are not shown")
