"""One stored message on the page: what was said, and what can be done with it."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import streamlit as st

from api.conversation import Conversation, Message
from api.errors import ApiError
from chat import actions
from chat.answer_view import AnswerView
from chat.receipt_view import render_line
from chat.stream_job import Answer
from components.callouts import error_callout

EDITING, WANTED = "chat_editing", "chat_wanted"
Choice = Literal["Copy", "Edit", "Ask again", "Go on", "Numbers", "Probabilities", "Delete"]
_ROLES = {"system": "System", "developer": "System", "tool": "Tool"}
_ENDS = {
    "interrupted": "Interrupted: the API ended while this was written.",
    "writing": "Being written …",
}

LONG_CHARACTERS, SHOWN_CHARACTERS = 4000, 1000

state = st.session_state


def render_message(message: Message, conversation: Conversation, *, is_last: bool) -> None:
    """Draw a message; the last of each kind has its actions in the open, others in a menu."""
    if message.role == "assistant":
        with st.chat_message("assistant", avatar=":material/bolt:"):
            render_answer(message)
            _render_answer_row(message, conversation, is_last=is_last)
        return
    avatar = ":material/person:" if message.role == "user" else ":material/settings:"
    with st.chat_message("user", avatar=avatar):
        if state.get(EDITING) == message.id:
            _render_editor(message)
            return
        if name := _ROLES.get(message.role):
            st.caption(name)
        render_question(message.content)
        if message.parts and any(part.get("type") != "text" for part in message.parts):
            st.caption("With attachments, which are not shown.")
        _render_question_row(message, conversation, is_last=is_last)


def render_question(text: str) -> None:
    """Show what a person wrote as it was written; nothing in it is interpreted."""
    if len(text) <= LONG_CHARACTERS:
        st.text(text)
        return
    st.text(text[:SHOWN_CHARACTERS] + " …")
    with st.expander(f"All {len(text):,} characters"):
        st.text(text)


def render_answer(message: Message) -> None:
    answer = Answer(text=message.content, reasoning=message.reasoning or "", state="finished")
    AnswerView().render(answer)
    if message.state in _ENDS:
        st.caption(_ENDS[message.state])


def _render_question_row(message: Message, conversation: Conversation, *, is_last: bool) -> None:
    with _action_row(f"chat_row_{message.id}"):
        _render_version_switcher(message, conversation)
        if is_last and message.role == "user":
            action_button("Edit", "edit", f"chat_edit_{message.id}", _edit, message.id)
        choices: list[Choice] = ["Copy", "Edit", "Ask again", "Delete"]
        _render_menu(message, choices if message.role == "user" else ["Copy", "Delete"])


def _render_answer_row(message: Message, conversation: Conversation, *, is_last: bool) -> None:
    with st.container(key=f"chat_facts_{message.id}"):
        render_line(message)
    question = conversation.parent_question(message)
    with _action_row(f"chat_row_{message.id}"):
        _render_version_switcher(message, conversation)
        if message.state == "writing":
            action_button("Look again", "refresh", f"chat_look_{message.id}", actions.refresh)
        if is_last and question:
            _render_last_buttons(message, question)
        choices: list[Choice] = ["Copy", "Numbers"]
        choices += ["Ask again"] if question else []
        choices += ["Go on"] if question and message.is_incomplete else []
        choices += ["Probabilities"] if message.logprobs else []
        _render_menu(message, [*choices, "Delete"])
    if is_last:
        render_failure(
            message, on_retry=partial(actions.regenerate, question) if question else None
        )


def render_failure(message: Message, *, on_retry: Callable[[], None] | None) -> None:
    """Say why an answer failed, if it did."""
    if message.state == "failed":
        told = str((message.error or {}).get("message") or "It was not told why the answer failed.")
        error_callout(ApiError(told), on_retry=on_retry, key="chat_retry")


def _render_last_buttons(message: Message, question: str) -> None:
    if message.is_incomplete:
        action_button(
            "Continue", "play_arrow", "chat_continue", actions.continue_answer, message.id
        )
    if message.state != "failed":
        action_button("Regenerate", "refresh", "chat_again", actions.regenerate, question)


def action_button(
    label: str, icon: str, key: str, on_click: Callable[..., None], *args: object
) -> None:
    """Draw a quiet button; `icon` is a name among the Material icons."""
    icon = f":material/{icon}:"
    st.button(label, icon=icon, key=key, type="tertiary", on_click=on_click, args=args)


def _render_version_switcher(message: Message, conversation: Conversation) -> None:
    """Let a person read what else was said here."""
    siblings = conversation.siblings(message)
    if len(siblings) < 2:
        return
    here = [sibling.id for sibling in siblings].index(message.id)
    with st.container(key=f"chat_step_{message.id}", horizontal=True, gap=None, width="content"):
        for by, icon, name in (
            (-1, ":material/chevron_left:", "Earlier version"),
            (1, ":material/chevron_right:", "Later version"),
        ):
            if by == 1:
                st.text(f"{here + 1}/{len(siblings)}")
            st.button(
                name,
                icon=icon,
                key=f"chat_step_{'earlier' if by == -1 else 'later'}_{message.id}",
                type="tertiary",
                on_click=actions.select_branch,
                args=[siblings[(here + by) % len(siblings)]],
                disabled=not 0 <= here + by < len(siblings),
            )


def _render_menu(message: Message, choices: list[Choice]) -> None:
    key = f"chat_menu_{message.id}"
    st.menu_button(
        "More", choices, key=key, type="tertiary", on_click=_on_menu_choice, args=[key, message]
    )


def _on_menu_choice(key: str, message: Message) -> None:
    """Do what was chosen, or have the page open what it needs for that."""
    choice: Choice | None = state.get(key)
    if choice == "Edit":
        _edit(message.id)
    elif choice == "Ask again":
        question = message.id if message.role == "user" else message.parent
        actions.regenerate(question or "")
    elif choice == "Go on":
        actions.continue_answer(message.id)
    else:
        if choice == "Delete":
            actions.stop()  # a dialog is heard only when no answer is being drawn
        state[WANTED] = (choice, message)


def _edit(message_id: str) -> None:
    state[EDITING] = message_id


def _render_editor(message: Message) -> None:
    key = f"chat_edited_{message.id}"
    st.text_area("Edit your message", message.content, key=key, height="content")
    with st.container(horizontal=True):
        st.button(
            "Ask",
            key="chat_edit_ask",
            type="primary",
            on_click=lambda: actions.edit_and_resend(message.id, state.get(key) or ""),
        )
        st.button("Cancel", key="chat_edit_cancel", on_click=lambda: state.pop(EDITING, None))


def _action_row(key: str) -> st.delta_generator.DeltaGenerator:
    return st.container(
        key=key,
        horizontal=True,
        vertical_alignment="center",
        gap="small",
    )
