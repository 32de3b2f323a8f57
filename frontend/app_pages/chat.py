"""The chat page: a stored conversation whose answers stream in, with the stats of each."""

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.conversation import Conversation
from api.errors import ApiError
from chat import actions, file_actions, turns
from chat.conversation_list import conversation_list
from chat.conversation_menu import render_header, render_import_export
from chat.file_panel import file_panel
from chat.followed_turn import follow_answers
from chat.image_actions import TEXT_ONLY, takes_images
from chat.message_dialogs import open_requested_dialog
from chat.pending_turn_view import IDLE_KEY, PendingTurnView
from chat.problems_view import render_problems, unsent_in_conversation
from chat.session import (
    ERROR_KEY,
    PendingTurn,
    current_conversation,
    current_conversation_id,
    finish_turn,
    pending_turn,
    sync_with_url,
)
from chat.thread_view import render_thread
from chat.turns import ANSWER_COUNT_KEY, SYSTEM_KEY
from components.callouts import clear_stale_elements
from components.service_status import (
    api,
    privacy_notice,
    service_badge,
    service_callout,
    service_status,
)
from controls import model_picker, parameter_panel
from controls.preset_picker import preset_picker
from files.upload import max_megabytes

# SmolLM2-135M, the smallest model, answers these well nine times in ten.
STARTERS = {
    "Explain": "What is photosynthesis? Keep it short.",
    "Rewrite": "Rewrite this sentence in the past tense: I play chess with my brother.",
    "Summarize": "Summarize in one sentence: Regular exercise strengthens the heart, improves "
    "sleep and lifts the mood. Even a daily walk helps.",
    "Code": "Write a Python function is_even(n). Keep it short.",
}

BOTTOM_NOTE = "Small models make mistakes. Check important answers."

state = st.session_state
state.setdefault(SYSTEM_KEY, actions.SYSTEM_PROMPT)


def load_chat_from_url() -> None:
    try:
        if sync_with_url() and (conversation := current_conversation()):
            actions.load_conversation(conversation)
    except ApiError as error:
        actions.show_error(error)


def render_sidebar() -> None:
    st.button(
        "New chat",
        icon=":material/add:",
        key="chat_new",
        on_click=actions.new_chat,
        width="stretch",
    )
    model_picker.model_picker(service)
    with st.expander("System prompt", icon=":material/assignment_ind:", key="chat_system_panel"):
        st.text_area(
            "System prompt",
            key=SYSTEM_KEY,
            height=120,
            label_visibility="collapsed",
            help="Tells the model how to behave. Sent before the conversation.",
            persist_state="session",
        )
    defaults = model_picker.default_parameters(model_picker.selected_model())
    parameter_panel.parameter_panel(preset_picker, for_chat=True, defaults=defaults)
    st.segmented_control(
        "Responses per message",
        [1, 2, 3, 4],
        default=1,
        required=True,
        key=ANSWER_COUNT_KEY,
        help="Two or more are shown side by side.",
        persist_state="session",
    )
    conversation_list()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        service_badge()
        render_import_export()


def render_welcome() -> None:
    st.title("What can I help with?", anchor=False)
    if not service.is_ready or not service.health:
        service_callout(service)
        return
    urls = [
        st.context.url or "",
        api().settings.api_base_url,
        service.health.model_server.url or "",
    ]
    st.markdown(privacy_notice(*urls, local_hosts=api().settings.local_hosts))
    with st.container(key="chat_starters"):
        for pair in (list(STARTERS.items())[:2], list(STARTERS.items())[2:]):
            for column, (title, question) in zip(st.columns(2), pair, strict=True):
                column.button(
                    f"**{title}**  \n{question}",
                    key=f"chat_starter_{title}",
                    on_click=actions.send_message,
                    args=[question],
                    width="stretch",
                    wrap=True,
                )


def is_error_shown(conversation: Conversation) -> bool:
    """Return True if the service's error is already on the page, as the error of an answer."""
    shown = [(last.error or {}).get("message") for last in conversation.active_branch()[-1:]]
    errors = [job.answer.error for job in turn.jobs] if turn else []
    shown += [error.message for error in [state.get(ERROR_KEY), *errors] if error]
    return service.error is not None and service.error.message in shown


def render_bottom(*, is_answering: bool) -> DeltaGenerator:
    """Render the input and what is below it; return the place of the note."""
    # Always the first element at the bottom: if it moved, Streamlit would render the whole page
    # again, and jump. Streamlit puts it there by itself; inside st.bottom the page would not
    # scroll down with an answer.
    st.chat_input(
        "Message…",
        key="chat_input",
        on_submit=lambda: file_actions.submit(state.chat_input.text, state.chat_input.files),
        submit_mode="disable",
        accept_file="multiple",
        max_upload_size=max_megabytes(),
    )
    with st.bottom:
        if is_answering:
            st.button(
                # accessibility.js handles the key, also before the button exists.
                "Stop :small[(Esc)]",
                icon=":material/stop_circle:",
                key="chat_stop",
                on_click=turns.stop,
            )
        else:
            st.empty()
        file_panel(is_answering=is_answering)
        note = st.empty()
        note.caption(BOTTOM_NOTE, text_alignment="center")
    return note


def mark_turn() -> None:
    """Tell autoscroll.js what is shown: it scrolls to the end of a new chat or turn."""
    attributes = f'data-smolchat-conversation="{escape(current_conversation_id() or "")}"'
    attributes += f' data-smolchat-turn="{id(turn) if turn else ""}"'
    with st.container(key="chat_turn_mark"):
        st.html(f"<span {attributes}></span>")


def stream_answers(turn: PendingTurn, view: PendingTurnView) -> None:
    """Render the answers until all are over, then run the page again."""
    view.stream()
    if not service.is_ready or any(job.answer.error for job in turn.jobs):
        service_status.clear()
    st.rerun()


load_chat_from_url()
finish_turn()
follow_answers()
turn = pending_turn()
# Read once: if an answer ends while this script runs, the next run renders it as ended.
is_answering = turn is not None and not turn.is_over
conversation = current_conversation()
view: PendingTurnView | None = None

# Before any answer, so that its first token can be stopped.
bottom_note = render_bottom(is_answering=is_answering)
mark_turn()
if conversation:
    st.empty()  # replaces the welcome, which would otherwise stay, dimmed, under an answer
    header, thread = st.container(), st.container()
    with thread:  # first, with the new question in it, so that it shows at once
        view = render_thread(conversation, turn)
    with header:
        render_header(conversation)
service = service_status()  # may take a moment, which a new question need not wait for
if takes_images(service) is False:
    bottom_note.caption(f"{BOTTOM_NOTE} {TEXT_ONLY}", text_alignment="center")
if not (conversation or unsent_in_conversation() or state.get(ERROR_KEY)):
    with st.container(key="chat_welcome"):
        render_welcome()
with st.container():
    count = render_problems(turn)
    if (
        conversation
        and not service.is_ready
        and not is_answering
        and not is_error_shown(conversation)
    ):
        service_callout(service, has_retry=False)  # a message has its own
        count += 1
    clear_stale_elements("chat_problems", count)
with st.sidebar:
    render_sidebar()
open_requested_dialog(service)
if turn and view and is_answering:
    stream_answers(turn, view)
state[IDLE_KEY] = True
