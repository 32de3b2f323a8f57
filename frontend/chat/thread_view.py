"""The messages of the open conversation, with the pending turn at their end."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.conversation import Conversation, Message
from chat import actions
from chat.answer_limits import formatting_budgets
from chat.message_view import (
    EXCERPT_CHARACTERS,
    MAX_CHARACTERS,
    action_button,
    action_row,
    copy_button,
    render_answer,
    render_failure,
    render_message,
)
from chat.pending_turn_view import PendingTurnView
from chat.session import COMPARED_KEY, TRUNCATED_KEY, PendingTurn
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
    branch = turn.branch() if turn else conversation.active_branch()
    turn_view = PendingTurnView(turn) if turn else None
    roles = [message.role for message in branch] + (turn_view.roles if turn_view else [])
    _render_header(conversation, first := _first_visible(conversation, len(roles)))
    is_switched = state.get(_CONVERSATION_ID) != conversation.id
    state[_CONVERSATION_ID] = conversation.id
    new_from = len(branch) if turn_view and turn_view.is_new else len(roles)
    with st.container():
        slots = _message_slots(roles, first, 0 if is_switched else new_from)
    if turn_view:
        turn_view.render(slots[len(branch) - first :])
        turn_view.render_question_first()
    _render_messages(conversation, branch, slots, first=first, is_pending=turn is not None)
    if branch and turn is None:
        _render_context_warning(branch[-1])
    else:
        st.empty()
    return turn_view


def _render_messages(
    conversation: Conversation,
    branch: list[Message],
    slots: Sequence[DeltaGenerator],
    *,
    first: int,
    is_pending: bool,
) -> None:
    """Render the messages from `first` on, each in its slot."""
    context = conversation.messages_in_context(branch)
    budgets = formatting_budgets(
        answer
        for message in reversed(branch[first:])
        if message.role == "assistant"
        for answer in _shown_answers(message, conversation)
    )
    for number, message in enumerate(branch[first:], start=first):
        is_last = not is_pending and number >= len(branch) - 2
        with slots[number - first]:
            if context and message is context[0] and number > 0:
                st.caption("Earlier messages are no longer in context")
                action_button(
                    "Restore full context", "undo", "chat_restore_context", actions.restore_context
                )
            if _is_compared(message):
                _render_side_by_side(message, conversation, budgets, is_last=is_last)
            else:
                budget = budgets.get(message.id, 0)
                render_message(message, conversation, is_last=is_last, budget=budget)


def _is_compared(message: Message) -> bool:
    return message.role == "assistant" and message.parent in state.get(COMPARED_KEY, ())


def _shown_answers(message: Message, conversation: Conversation) -> list[Message]:
    """Return the latest answers to one question if they are compared, else the message alone."""
    is_compared = _is_compared(message)
    return conversation.siblings(message)[-_MAX_SIDE_BY_SIDE:] if is_compared else [message]


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
    message: Message, conversation: Conversation, budgets: Mapping[str, float], *, is_last: bool
) -> None:
    """Render the latest answers to one question side by side; one button retries failed ones."""
    answers = _shown_answers(message, conversation)
    first_failed = next((answer for answer in answers if answer.state == "failed"), None)
    retry = partial(actions.regenerate, message.parent) if is_last and message.parent else None
    for column, answer in zip(st.columns(len(answers)), answers, strict=True):
        with column, st.chat_message("assistant", avatar=":material/bolt:"):
            render_answer(answer, budgets[answer.id])
            with st.container(key=f"chat_stats_{answer.id}"):
                render_summary(answer)
            with action_row(f"chat_row_{answer.id}"):
                copy_button(answer)
                key = f"chat_keep_{answer.id}"
                action_button("Use this one", "check", key, actions.select_branch, answer)
            render_failure(answer, on_retry=retry if answer is first_failed else None)


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
