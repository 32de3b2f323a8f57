"""The thread of a conversation on the page, and at its end what is being asked."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.conversation import Conversation, Message
from chat import actions
from chat import receipt_text as words
from chat.message_view import action_button, render_answer, render_failure, render_message
from chat.pending_turn_view import PendingTurnView
from chat.receipt_view import render_line
from chat.session import COMPARED_KEY, TRUNCATED_KEY, PendingTurn

PAGE_SIZE = 40  # messages at least; many more would make every action slow
_GROUP_SIZE = 10  # messages that are shown or not together
_EARLIER, _DRAWN = "chat_earlier", "chat_drawn"
_CONVERSATION, _SECONDS = "chat_drawn_of", "chat_drawn_second"

state = st.session_state


def render_thread(
    conversation: Conversation, question: PendingTurn | None
) -> PendingTurnView | None:
    """Draw what was said, and where a question is being answered, that in the place of its thread.

    The question is drawn first, so that it is seen at once.
    """
    thread = question.branch() if question else conversation.active_branch()
    asked = PendingTurnView(question) if question else None
    roles = [message.role for message in thread] + (asked.roles if asked else [])
    _render_header(conversation, first := _first_visible(conversation, len(roles)))
    is_other = state.get(_CONVERSATION) != conversation.id
    state[_CONVERSATION] = conversation.id
    with st.container():
        new_from = 0 if is_other else len(thread) if asked and asked.is_new else len(roles)
        places = _message_slots(roles, first, new_from)
    if asked:
        asked.render(places[len(thread) - first :])
        asked.render_question_first()
    sent = conversation.messages_in_context(thread)
    for number, message in enumerate(thread[first:], start=first):
        is_first_sent = bool(sent) and message is sent[0] and number > 0
        is_last = question is None and number >= len(thread) - 2
        with places[number - first]:
            if is_first_sent:
                st.caption("― What stands above is not sent to the model any more. ―")
                action_button("Send all of it", "undo", "chat_send_all", actions.restore_context)
            if message.role == "assistant" and message.parent in state.get(COMPARED_KEY, ()):
                _render_side_by_side(message, conversation)
            else:
                render_message(message, conversation, is_last=is_last)
    if thread and question is None:
        _render_context_warning(thread[-1])
    else:
        st.empty()
    return asked


def _message_slots(roles: list[str], first: int, new_from: int) -> list[DeltaGenerator]:
    """Give each message from `first` on a place, the same one for as long as it is shown.

    A message that moved would be drawn anew, and seen to: each group that is not shown leaves its
    own place empty. Streamlit keeps what an earlier run drew in a place, dimmed, until the script
    has ended, also where st.empty() is filled again before it has been sent. So each message has
    two places, of which one is empty, and a new one takes the other.
    """
    places = []
    end, drawn = len(roles), max(len(roles), state.get(_DRAWN, 0))
    state[_DRAWN] = end
    seconds: set[int] = state.setdefault(_SECONDS, set())
    seconds.symmetric_difference_update(range(new_from, drawn))
    for start in range(0, drawn, _GROUP_SIZE):
        if not first <= start < end:
            st.empty()
            continue
        with st.container():
            for number in range(start, min(start + _GROUP_SIZE, drawn)):
                for is_second in (False, True):
                    if number < end and is_second == (number in seconds):
                        kind = "answer" if roles[number] == "assistant" else "user"
                        places.append(st.container(key=f"chat_{kind}_{number}"))
                    else:
                        st.empty()
    return places


def _render_header(conversation: Conversation, earlier: int) -> None:
    with st.container(key="chat_above"):
        _render_system(conversation)
        if earlier:
            st.button(
                f"Show earlier ({earlier})",
                icon=":material/expand_less:",
                key="chat_show_earlier",
                type="tertiary",
                on_click=_show_earlier,
                args=[conversation.id],
            )


def _render_system(conversation: Conversation) -> None:
    if conversation.system_prompt:
        with st.container(key="chat_system_note"):
            st.text(f"System prompt: {conversation.system_prompt}")


def _render_side_by_side(message: Message, conversation: Conversation) -> None:
    """Draw the answers to one question side by side."""
    answers = conversation.siblings(message)[-4:]
    for place, answer in zip(st.columns(len(answers)), answers, strict=True):
        with place, st.chat_message("assistant", avatar=":material/bolt:"):
            render_answer(answer)
            with st.container(key=f"chat_facts_{answer.id}"):
                render_line(answer)
                render_failure(answer, on_retry=None)
                key = f"chat_keep_{answer.id}"
                action_button("Go on with this one", "check", key, actions.select_branch, answer)


def _render_context_warning(last: Message) -> None:
    """Warn before the context overflows, and show ways out."""
    error = (last.error or {}).get("code")
    share = words.context_share(last.receipt)
    is_full = error == "context_length_exceeded"
    is_mended = state.get(TRUNCATED_KEY) == last.id  # only the next answer tells by how much
    if is_mended or (not is_full and (share is None or share < words.CONTEXT_WARNING_SHARE)):
        return
    told = "is full" if is_full or share is None else f"is {share:.0%} full"
    with st.container(key="chat_context"):
        st.warning(f"The model's context {told}.", icon=":material/data_usage:")
        with st.container(horizontal=True):
            st.button(
                "Leave out the oldest half",
                icon=":material/content_cut:",
                key="chat_leave_out",
                on_click=actions.truncate_context,
            )
            st.button(
                "New chat with a summary",
                icon=":material/summarize:",
                key="chat_summarise",
                on_click=actions.start_with_summary,
            )


def _first_visible(conversation: Conversation, count: int) -> int:
    shown: int = state.get(_EARLIER, {}).get(conversation.id, PAGE_SIZE)
    return max(0, count - shown) // _GROUP_SIZE * _GROUP_SIZE


def _show_earlier(conversation_id: str) -> None:
    known = state.setdefault(_EARLIER, {})
    known[conversation_id] = known.get(conversation_id, PAGE_SIZE) + 2 * PAGE_SIZE
