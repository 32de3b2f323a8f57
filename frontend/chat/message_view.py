"""One stored message on the page: its text, its stats and its actions."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial

import streamlit as st

from api.conversation import Conversation, Message
from api.errors import ApiError
from chat import actions, step_actions, turns
from chat.answer_limits import cut_note
from chat.answer_view import AnswerView
from chat.file_answer_view import render_file_answer, shown_retrieval
from chat.image_view import DIALOG_KEY, render_images
from chat.question import images_in
from chat.session import EDITING_KEY
from chat.step_buttons import step_buttons
from chat.step_view import StepActions
from chat.stream_job import StreamedAnswer
from chat.thread_items import ThreadItem, versions
from components.callouts import error_callout
from receipts.receipt_view import render_summary
from sanitize.render_cost import MAX_MESSAGE_COST, MAX_PLAIN_CHARACTERS

# The labels of the buttons and of the menu under a message.
EDIT = "Edit"
REGENERATE = "Regenerate"
CONTINUE = "Continue"
STATS = "Generation stats"
PROBABILITIES = "Token probabilities"
DELETE = "Delete…"
_ROLE_NAMES = {"system": "System", "developer": "System", "tool": "Tool"}
_STATE_NOTES = {
    "interrupted": "Interrupted: the API stopped during generation",
    "writing": "Generating…",
}

MAX_CHARACTERS, EXCERPT_CHARACTERS = 4000, 1000
MAX_COPY_CHARACTERS = 1_000_000  # the copy is in the page; a longer text is downloaded

state = st.session_state


def render_item(
    item: ThreadItem,
    conversation: Conversation,
    *,
    is_last: bool,
    budget: float = MAX_MESSAGE_COST,
) -> None:
    """Render an item; the last question and answer show their main actions outside the menu."""
    if item.role == "assistant":
        with st.chat_message("assistant", avatar=":material/bolt:"):
            render_answer(item, budget, step_buttons(item) if is_last else None)
            question_id = conversation.parent_question(item.first)
            render_file_answer(item, question_id, is_last=is_last)
            _render_answer_row(item, conversation, is_last=is_last)
        return
    message = item.first
    avatar = ":material/person:" if message.role == "user" else ":material/settings:"
    with st.chat_message("user", avatar=avatar):
        if state.get(EDITING_KEY) == message.id:
            _render_editor(message)
            return
        if name := _ROLE_NAMES.get(message.role):
            st.caption(name)
        render_question(message.content)
        images = images_in(message.parts)
        render_images(images, message.id)
        others = [part for part in message.parts or () if part.get("type") != "text"]
        if len(others) > len(images):
            st.caption("Attachments are not shown")
        _render_question_row(item, conversation, is_last=is_last)


def render_empty_row(key: str) -> None:
    """Render the place of the buttons of a message that is not stored yet, so that none moves."""
    with action_row(f"chat_row_{key}"):
        st.space("small")


def render_question(text: str) -> None:
    """Render a question as plain text, without Markdown; fold a long one."""
    if not text:
        return
    if len(text) <= MAX_CHARACTERS:
        st.text(text)
        return
    st.text(text[:EXCERPT_CHARACTERS] + "…")
    is_cut = len(text) > MAX_PLAIN_CHARACTERS
    part = f"{MAX_PLAIN_CHARACTERS:,} of " if is_cut else "all "
    with st.expander(f"Show {part}{len(text):,} characters"):
        st.text(text[:MAX_PLAIN_CHARACTERS])
        if is_cut:
            st.caption(cut_note(text))


def render_answer(item: ThreadItem, budget: float, step_actions: StepActions | None = None) -> None:
    """Render an answer, of which what costs no more than `budget` is formatted."""
    *earlier, last = item.rounds
    answer = StreamedAnswer(rounds=list(earlier), state="finished")
    answer.rounds[-1] = last
    answer.citations, answer.retrieval = item.answer.annotations or (), shown_retrieval(item)
    AnswerView(budget, step_actions, link_id=item.id).render(answer)
    note = "writing" if item.is_writing else item.answer.state
    if note in _STATE_NOTES:
        st.caption(_STATE_NOTES[note])


def _render_question_row(item: ThreadItem, conversation: Conversation, *, is_last: bool) -> None:
    message = item.first
    with action_row(f"chat_row_{message.id}"):
        copy_button(message)
        _render_version_switcher(item, conversation)
        if is_last and message.role == "user":
            action_button(EDIT, "edit", f"chat_edit_{message.id}", _edit, message.id)
        is_user = message.role == "user"
        _render_menu(item, message.id, [EDIT, REGENERATE, DELETE] if is_user else [DELETE])


def _render_answer_row(item: ThreadItem, conversation: Conversation, *, is_last: bool) -> None:
    with st.container(key=f"chat_stats_{item.id}"):
        render_summary(item.answer)
    question_id = conversation.parent_question(item.first)
    with action_row(f"chat_row_{item.id}"):
        copy_button(item.answer)
        _render_version_switcher(item, conversation)
        if item.is_writing:
            action_button("Refresh", "refresh", f"chat_refresh_{item.id}", actions.refresh)
        if is_last and question_id:
            _render_last_buttons(item, question_id)
        has_retry = is_last and item.answer.state == "failed"
        choices = [STATS]
        choices += [REGENERATE] if question_id and not has_retry else []
        choices += [CONTINUE] if question_id and item.is_incomplete and not item.has_steps else []
        choices += [PROBABILITIES] if item.answer.logprobs else []
        _render_menu(item, question_id, [*choices, DELETE])
    if is_last:
        on_retry = partial(actions.regenerate, question_id) if question_id else None
        render_failure(item.answer, on_retry=on_retry)


def render_failure(message: Message, *, on_retry: Callable[[], None] | None) -> None:
    """Show the error of a failed answer."""
    if message.state == "failed":
        text = str((message.error or {}).get("message") or "The response failed. No reason given.")
        error_callout(ApiError(text), on_retry=on_retry, key="chat_retry")


def _render_last_buttons(item: ThreadItem, question_id: str) -> None:
    if item.is_incomplete and item.has_steps:
        action_button(CONTINUE, "play_arrow", "chat_continue", step_actions.go_on, item)
    elif item.is_incomplete:
        action_button(CONTINUE, "play_arrow", "chat_continue", actions.continue_answer, item.id)
    if item.answer.state != "failed":
        action_button(REGENERATE, "refresh", "chat_regenerate", actions.regenerate, question_id)


def copy_button(message: Message) -> None:
    """Render a button with which copy.js copies the text, without waiting for this script."""
    text = message.content
    if len(text) > MAX_COPY_CHARACTERS:
        st.download_button(
            "Download",
            text.encode(errors="replace"),
            "message.md",
            "text/markdown",
            key=f"chat_download_{message.id}",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )
    elif text:
        encoded = b64encode(text.encode(errors="replace")).decode()
        st.html(
            f'<button type="button" class="copy-message" data-text="{encoded}">'
            '<span class="icon" aria-hidden="true"></span>'
            '<span class="label" aria-live="polite">Copy</span></button>',
            width="content",
        )


def action_button(
    label: str, icon: str, key: str, on_click: Callable[..., None], *args: object
) -> None:
    """Render a tertiary button; `icon` is the name of a Material icon."""
    icon = f":material/{icon}:"
    st.button(label, icon=icon, key=key, type="tertiary", on_click=on_click, args=args)


def _render_version_switcher(item: ThreadItem, conversation: Conversation) -> None:
    """Render the buttons that switch between an item and its other versions."""
    leaves = versions(conversation, item)
    ids = [leaf.id for leaf in leaves]
    if len(leaves) < 2 or item.last.id not in ids:
        return
    index, message = ids.index(item.last.id), item.first
    with st.container(
        key=f"chat_step_{message.id}",
        horizontal=True,
        vertical_alignment="center",
        gap=None,
        width="content",
    ):
        for step, icon, name in (
            (-1, ":material/chevron_left:", "Previous version"),
            (1, ":material/chevron_right:", "Next version"),
        ):
            if step == 1:
                st.text(f"{index + 1}/{len(leaves)}")
            st.button(
                name,
                icon=icon,
                key=f"chat_step_{'earlier' if step == -1 else 'later'}_{message.id}",
                type="tertiary",
                on_click=actions.select_branch,
                args=[leaves[(index + step) % len(leaves)]],
                disabled=not 0 <= index + step < len(leaves),
            )


def _render_menu(item: ThreadItem, question_id: str | None, choices: list[str]) -> None:
    key = f"chat_menu_{item.id}"
    st.menu_button(
        "More",
        choices,
        key=key,
        type="tertiary",
        on_click=_on_menu_choice,
        args=[key, item, question_id or ""],
    )


def _on_menu_choice(key: str, item: ThreadItem, question_id: str) -> None:
    """Run the chosen action, or make the page open its dialog."""
    choice = state.get(key)
    if choice == EDIT:
        _edit(item.id)
    elif choice == REGENERATE:
        actions.regenerate(question_id)
    elif choice == CONTINUE:
        actions.continue_answer(item.id)
    else:
        if choice == DELETE:
            turns.stop()  # a dialog takes no clicks while an answer streams
        state[DIALOG_KEY] = (choice, item)


def _edit(message_id: str) -> None:
    state[EDITING_KEY] = message_id


def _render_editor(message: Message) -> None:
    key = f"chat_edited_{message.id}"
    st.text_area("Edit message", message.content, key=key, height="content")
    with st.container(horizontal=True):
        st.button(
            "Send",
            key="chat_edit_send",
            type="primary",
            on_click=lambda: actions.edit_and_resend(message.id, state.get(key) or ""),
        )
        st.button("Cancel", key="chat_edit_cancel", on_click=lambda: state.pop(EDITING_KEY, None))


def action_row(key: str) -> st.delta_generator.DeltaGenerator:
    return st.container(
        key=key,
        horizontal=True,
        vertical_alignment="center",
        gap="small",
    )
