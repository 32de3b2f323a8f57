"""The thread of a conversation on the page, and below it what is being asked."""

import streamlit as st

import chat_actions as actions
import receipt_words as words
from answer_job import Answer
from answer_view import AnswerView
from chat_session import COMPARED, Asked
from conversation import Conversation, Message
from message_view import draw_action, draw_answer, draw_failure, draw_message, draw_question
from parts import callout, clear_rest
from receipt_view import draw_line

SHOWN = 40  # messages at least; many more would make every action slow
_STEP = 10  # messages: where the first one moves on, all are drawn anew
_EARLIER, _DRAWN = "chat_earlier", "chat_drawn"

state = st.session_state


def draw_thread(conversation: Conversation, question: Asked | None) -> None:
    """Draw what was said, up to where the question that is being answered stands."""
    thread = question.thread() if question else conversation.thread()
    _draw_above(conversation, first := _first_shown(conversation, len(thread)))
    sent = conversation.sent_part(thread)
    for number, message in enumerate(thread[first:], start=first):
        is_first_sent = bool(sent) and message is sent[0] and number > 0
        is_last = question is None and number >= len(thread) - 2
        with st.container(key=f"chat_message_{message.id}"):
            if is_first_sent:
                st.caption("― What stands above is not sent to the model any more. ―")
                draw_action("Send all of it", "undo", "chat_send_all", actions.send_all)
            if message.role == "assistant" and message.parent in state.get(COMPARED, ()):
                _draw_compared(message, conversation)
            else:
                draw_message(message, conversation, is_last=is_last)
    clear_rest(_DRAWN, len(thread) - first)
    if thread and question is None:
        _draw_context_warning(thread[-1])


def _draw_above(conversation: Conversation, earlier: int) -> None:
    with st.container(key="chat_above"):
        _draw_system(conversation)
        if earlier:
            st.button(
                f"Show earlier ({earlier})",
                icon=":material/expand_less:",
                key="chat_show_earlier",
                type="tertiary",
                on_click=_show_earlier,
                args=[conversation.id],
            )


def draw_new_question(text: str, key: str) -> None:
    """Draw a question that is not in the thread yet."""
    with (
        st.container(key=key),
        st.chat_message("user", avatar=":material/person:"),
    ):
        draw_question(text)


def draw_asked_answers(question: Asked) -> list[AnswerView]:
    """Draw the answers as far as they have come; side by side, if there are several."""
    count = len(question.jobs)
    places = st.columns(count) if count > 1 else [st.container()]
    views = []
    for place, job in zip(places, question.jobs, strict=True):
        with place, st.chat_message("assistant", avatar=":material/bolt:"):
            view = AnswerView(job.answer)
            view.draw(job.answer)
            _draw_trouble(job.answer, question)
            views.append(view)
    return views


def _draw_trouble(answer: Answer, question: Asked) -> None:
    """Say why an answer that is over is not among those that are kept."""
    trouble = st.empty()
    if not answer.is_over or not question.is_over:
        return
    with trouble.container():
        if answer.error:
            key = f"chat_retry_{id(answer)}"
            callout(answer.error, on_retry=actions.retry, key=key)
        elif answer is question.jobs[0].answer:
            st.caption("This is not kept yet: the API does not say how it ended.")
            st.button("Look again", icon=":material/refresh:", key="chat_look")


def _draw_system(conversation: Conversation) -> None:
    if conversation.system_prompt:
        with st.container(key="chat_system_note"):
            st.text(f"System prompt: {conversation.system_prompt}")


def _draw_compared(message: Message, conversation: Conversation) -> None:
    """Draw the answers to one question side by side."""
    answers = conversation.siblings(message)[-4:]
    for place, answer in zip(st.columns(len(answers)), answers, strict=True):
        with place, st.chat_message("assistant", avatar=":material/bolt:"):
            draw_answer(answer)
            with st.container(key=f"chat_facts_{answer.id}"):
                draw_line(answer)
                draw_failure(answer, on_retry=None)
                key = f"chat_keep_{answer.id}"
                draw_action("Go on with this one", "check", key, actions.keep, answer)


def _draw_context_warning(last: Message) -> None:
    """Warn before the context overflows, and show ways out."""
    error = (last.error or {}).get("code")
    share = words.context_share(last.receipt)
    is_full = error == "context_length_exceeded"
    if not is_full and (share is None or share < words.NEARLY_FULL):
        return
    told = "is full" if is_full or share is None else f"is {share:.0%} full"
    with st.container(key="chat_context"):
        st.warning(f"The model's context {told}.", icon=":material/data_usage:")
        with st.container(horizontal=True):
            st.button(
                "Leave out the oldest half",
                icon=":material/content_cut:",
                key="chat_leave_out",
                on_click=actions.leave_out_oldest,
            )
            st.button(
                "New chat with a summary",
                icon=":material/summarize:",
                key="chat_summarise",
                on_click=actions.summarise,
            )


def _first_shown(conversation: Conversation, count: int) -> int:
    shown: int = state.get(_EARLIER, {}).get(conversation.id, SHOWN)
    return max(0, count - shown) // _STEP * _STEP


def _show_earlier(conversation_id: str) -> None:
    known = state.setdefault(_EARLIER, {})
    known[conversation_id] = known.get(conversation_id, SHOWN) + 2 * SHOWN
