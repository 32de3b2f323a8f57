"""The messages of the open conversation, with the pending turn at their end."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.conversation import Conversation, Message
from chat import actions
from chat.answer_limits import formatting_budgets
from chat.file_answer_view import render_file_answer
from chat.message_view import (
    EXCERPT_CHARACTERS,
    MAX_CHARACTERS,
    action_button,
    action_row,
    copy_button,
    render_answer,
    render_failure,
    render_item,
)
from chat.pending_turn_view import PendingTurnView
from chat.session import COMPARED_KEY, TRUNCATED_KEY, PendingTurn
from chat.thread_items import ThreadItem, thread_items, version_items
from receipts import receipt_text
from receipts.receipt_view import render_summary

PAGE_SIZE = 40  # messages shown at first; many more would make every action slow
_GROUP_SIZE = 10  # messages that are shown or hidden together
_MAX_SIDE_BY_SIDE = 4
_PAGE_SIZES, _SLOT_COUNT = "chat_page_sizes", "chat_slot_count"
_CONVERSATION_ID, _ALTERNATE_SLOTS = "chat_rendered_id", "chat_alternate_slots"

state = st.session_state


def render_thread(conversation: Conversation, turn: PendingTurn | None) -> PendingTurnView | None:
    """Render the active branch, or the branch of the pending turn with its question and answers.

    The pending question is rendered first, so that it shows at once.
    """
    items = thread_items(turn.branch() if turn else conversation.active_branch())
    turn_view = PendingTurnView(turn) if turn else None
    roles = [item.role for item in items] + (turn_view.roles if turn_view else [])
    _render_header(conversation, first := _first_visible(conversation, len(roles)))
    is_switched = state.get(_CONVERSATION_ID) != conversation.id
    state[_CONVERSATION_ID] = conversation.id
    new_from = len(items) if turn_view and turn_view.is_new else len(roles)
    with st.container():
        slots = _message_slots(roles, first, 0 if is_switched else new_from)
    if turn_view:
        turn_view.render(slots[len(items) - first :])
        turn_view.render_question_first()
    _render_items(conversation, items, slots, first=first, is_pending=turn is not None)
    if items and turn is None:
        _render_context_warning(items[-1].answer)
    else:
        st.empty()
    return turn_view


def _render_items(
    conversation: Conversation,
    items: list[ThreadItem],
    slots: Sequence[DeltaGenerator],
    *,
    first: int,
    is_pending: bool,
) -> None:
    """Render the items from `first` on, each in its slot."""
    context = conversation.messages_in_context([m for item in items for m in item.messages])
    shown = {item.id: _shown_answers(item, conversation) for item in items[first:]}
    budgets = formatting_budgets(
        answer
        for item in reversed(items[first:])
        if item.role == "assistant"
        for answer in shown[item.id]
    )
    for number, item in enumerate(items[first:], start=first):
        is_last = not is_pending and number >= len(items) - 2
        with slots[number - first]:
            if context and item.first is context[0] and number > 0:
                st.caption("Earlier messages are no longer in context")
                action_button(
                    "Restore full context", "undo", "chat_restore_context", actions.restore_context
                )
            if _is_compared(item):
                _render_side_by_side(item, shown[item.id], budgets, is_last=is_last)
            else:
                budget = budgets.get(item.id, 0)
                render_item(item, conversation, is_last=is_last, budget=budget)


def _is_compared(item: ThreadItem) -> bool:
    return item.role == "assistant" and item.first.parent in state.get(COMPARED_KEY, ())


def _shown_answers(item: ThreadItem, conversation: Conversation) -> list[ThreadItem]:
    """Return the latest answers to one question if they are compared, else the item alone."""
    if not _is_compared(item):
        return [item]
    return version_items(conversation, item)[-_MAX_SIDE_BY_SIDE:]


def _message_slots(roles: list[str], first: int, new_from: int) -> list[DeltaGenerator]:
    """Return a slot for each message from `first` on, the same one for as long as it is shown.

    A message that moved would be rendered again, visibly: so each group that is not shown leaves
    its own slot empty. Streamlit keeps what an earlier run rendered in a slot, dimmed, until the
    script has ended, even if st.empty() is filled again before it was sent. So each message has
    two slots, one of which is empty, and a new message takes the other one.
    """
    slots = []
    end, count = len(roles), max(len(roles), state.get(_SLOT_COUNT, 0))
    state[_SLOT_COUNT] = end
    alternates: set[int] = state.setdefault(_ALTERNATE_SLOTS, set())
    alternates.symmetric_difference_update(range(new_from, count))
    for start in range(0, count, _GROUP_SIZE):
        if not first <= start < end:
            st.empty()
            continue
        with st.container():
            for number in range(start, min(start + _GROUP_SIZE, count)):
                for is_alternate in (False, True):
                    if number < end and is_alternate == (number in alternates):
                        kind = "answer" if roles[number] == "assistant" else "user"
                        slots.append(st.container(key=f"chat_{kind}_{number}"))
                    else:
                        st.empty()
    return slots


def _render_header(conversation: Conversation, hidden_count: int) -> None:
    with st.container(key="chat_above_messages"):
        _render_system_prompt(conversation)
        if hidden_count:
            st.button(
                f"Show earlier messages ({hidden_count})",
                icon=":material/expand_less:",
                key="chat_show_earlier",
                type="tertiary",
                on_click=_show_earlier,
                args=[conversation.id],
            )


def _render_system_prompt(conversation: Conversation) -> None:
    if prompt := conversation.system_prompt:
        is_long = len(prompt) > MAX_CHARACTERS  # all of it is in the sidebar
        with st.container(key="chat_system_note"):
            st.text(f"System prompt: {prompt[:EXCERPT_CHARACTERS] + '…' if is_long else prompt}")


def _render_side_by_side(
    item: ThreadItem,
    answers: Sequence[ThreadItem],
    budgets: Mapping[str, float],
    *,
    is_last: bool,
) -> None:
    """Render the latest answers to one question side by side; one button retries failed ones."""
    first_failed = next((each for each in answers if each.answer.state == "failed"), None)
    question_id = item.first.parent
    retry = partial(actions.regenerate, question_id) if is_last and question_id else None
    for column, each in zip(st.columns(len(answers)), answers, strict=True):
        with column, st.chat_message("assistant", avatar=":material/bolt:"):
            render_answer(each, budgets[each.id])
            render_file_answer(each, question_id, is_last=is_last)
            with st.container(key=f"chat_stats_{each.last.id}"):
                render_summary(each.answer)
            with action_row(f"chat_row_{each.last.id}"):
                copy_button(each.answer)
                key = f"chat_keep_{each.last.id}"
                action_button("Use this one", "check", key, actions.select_branch, each.last)
            render_failure(each.answer, on_retry=retry if each is first_failed else None)


def _render_context_warning(last: Message) -> None:
    """Warn before the context window overflows, and offer ways out."""
    error_code = (last.error or {}).get("code")
    share = receipt_text.context_share(last.receipt)
    is_full = error_code == "context_length_exceeded"
    is_truncated = state.get(TRUNCATED_KEY) == last.id  # the next answer reports the new share
    is_low = share is None or share < receipt_text.CONTEXT_WARNING_SHARE
    if is_truncated or (is_low and not is_full):
        return
    level = "full" if is_full or share is None else f"{share:.0%} full"
    with st.container(key="chat_context"):
        st.warning(f"The context is {level}.", icon=":material/data_usage:")
        with st.container(horizontal=True):
            st.button(
                "Drop the older half",
                icon=":material/content_cut:",
                key="chat_truncate_context",
                on_click=actions.truncate_context,
            )
            st.button(
                "New chat with a summary",
                icon=":material/summarize:",
                key="chat_summarize",
                on_click=actions.start_with_summary,
            )


def _first_visible(conversation: Conversation, count: int) -> int:
    visible: int = state.get(_PAGE_SIZES, {}).get(conversation.id, PAGE_SIZE)
    return max(0, count - visible) // _GROUP_SIZE * _GROUP_SIZE


def _show_earlier(conversation_id: str) -> None:
    sizes = state.setdefault(_PAGE_SIZES, {})
    sizes[conversation_id] = sizes.get(conversation_id, PAGE_SIZE) + 2 * PAGE_SIZE
