"""The chat page: a stored conversation whose answers stream in, with the stats of each."""

import streamlit as st

from api.conversation import Conversation
from api.errors import ApiError
from chat import actions, turns
from chat.conversation_list import conversation_list
from chat.conversation_menu import render_header, render_import_export
from chat.message_dialogs import open_requested_dialog
from chat.pending_turn_view import PendingTurnView, render_new_question
from chat.session import (
    ERROR_KEY,
    PendingTurn,
    current_conversation,
    current_conversation_id,
    finish_turn,
    pending_turn,
    sync_with_url,
    unsent_questions,
)
from chat.thread_view import render_thread
from chat.turns import ANSWER_COUNT_KEY, SYSTEM_KEY
from components.callouts import clear_stale_elements, error_callout
from components.service_status import (
    api,
    privacy_notice,
    service_badge,
    service_callout,
    service_status,
)
from controls import model_picker, parameter_panel
from controls.preset_picker import preset_picker

STARTERS = {
    "Explain": "Explain recursion to a 10-year-old in four sentences.",
    "Rewrite": "Rewrite this politely: send me the file now.",
    "Plan": "Plan a 20-minute lunch with eggs and spinach.",
    "Code": "Write a Python function that counts vowels.",
}

state = st.session_state
state.setdefault(SYSTEM_KEY, actions.SYSTEM_PROMPT)


def load_chat_from_url() -> None:
    try:
        if sync_with_url() and (conversation := current_conversation()):
            actions.load_conversation(conversation)
    except ApiError as error:
        state[ERROR_KEY] = error


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
    parameter_panel.parameter_panel(preset_picker, for_chat=True)
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
    urls = [st.context.url or "", api().settings.api_base_url, service.health.model_server.url]
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


def render_errors() -> int:
    """Render unsent questions and the current error; return the number of elements.

    A question that could not be sent stays until it can.
    """
    error: ApiError | None = state.get(ERROR_KEY)
    entries = unsent_in_conversation()
    for number, entry in enumerate(entries):
        with st.container(key=f"chat_user_unsent_{number}"):
            render_new_question(entry[1])
        with st.container(horizontal=True):
            for label, action in (("Send", actions.retry_unsent), ("Discard", actions.discard)):
                key = f"chat_unsent_{label.lower()}_{number}"
                st.button(label, key=key, on_click=action, args=[entry])
    if error:
        first = entries[0] if entries else None
        error_callout(error, on_retry=lambda: actions.retry_unsent(first), key="chat_problem_retry")
    return 2 * len(entries) + bool(error)


def unsent_in_conversation() -> list[tuple[str | None, str]]:
    return [entry for entry in unsent_questions() if entry[0] == current_conversation_id()]


def is_error_shown(conversation: Conversation) -> bool:
    """Return True if the service's error is already on the page, as the error of an answer."""
    shown = [(last.error or {}).get("message") for last in conversation.active_branch()[-1:]]
    errors = [job.answer.error for job in turn.jobs] if turn else []
    shown += [error.message for error in [state.get(ERROR_KEY), *errors] if error]
    return service.error is not None and service.error.message in shown


def render_bottom(*, is_answering: bool) -> None:
    # Always the first element at the bottom: if it moved, Streamlit would render the whole page
    # again, and jump. Streamlit puts it there by itself; inside st.bottom the page would not
    # scroll down with an answer.
    st.chat_input(
        "Message…",
        key="chat_input",
        on_submit=lambda: actions.send_message(state.chat_input),
        submit_mode="disable",
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
        st.caption("Small models make mistakes. Check important answers.", text_alignment="center")


def run_script(name: str, number: int) -> None:
    # The browser runs the script again if its text has changed.
    script = f'<script src="app/static/{name}.js?{number}"></script>'
    with st.container(key=f"chat_script_{name}"):
        st.html(script, unsafe_allow_javascript=True)


def stream_answers(turn: PendingTurn, view: PendingTurnView) -> None:
    """Render the answers until all are over, then run the page again."""
    view.stream()
    if any(job.answer.error for job in turn.jobs):
        service_status.clear()
    st.rerun()


load_chat_from_url()
finish_turn()
turn = pending_turn()
# Read once: if an answer ends while this script runs, the next run renders it as ended.
is_answering = turn is not None and not turn.is_over
conversation = current_conversation()
view: PendingTurnView | None = None

# Before any answer, so that its first token can be stopped.
render_bottom(is_answering=is_answering)
if conversation:
    st.empty()  # replaces the welcome, which would otherwise stay, dimmed, under an answer
    header, thread = st.container(), st.container()
    with thread:  # first, with the new question in it, so that it shows at once
        view = render_thread(conversation, turn)
    with header:
        render_header(conversation)
service = service_status()  # may take a moment, which a new question need not wait for
if not (conversation or unsent_in_conversation()):
    with st.container(key="chat_welcome"):
        render_welcome()
with st.container():
    count = render_errors()
    if (
        conversation
        and not service.is_ready
        and not is_answering
        and not is_error_shown(conversation)
    ):
        service_callout(service)
        count += 1
    clear_stale_elements("chat_problems", count)
with st.sidebar:
    render_sidebar()
run_script("accessibility", 0)
run_script("autoscroll", id(turn) if turn else 0)
open_requested_dialog(service)
if turn and view and is_answering:
    stream_answers(turn, view)
