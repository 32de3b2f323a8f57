"""The chat: a conversation that is kept, its answers while they are written, what each one cost."""

import streamlit as st

from api.conversation import Conversation
from api.errors import ApiError
from chat import actions
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
from components.callouts import clear_stale_elements, error_callout
from components.service_status import (
    api,
    privacy_notice,
    service_badge,
    service_callout,
    service_status,
)
from controls import model_picker, parameter_panel
from controls.preset_picker import preset_choice

STARTERS = {
    "Explain": "Explain recursion to a 10-year-old in four sentences.",
    "Rewrite": "Rewrite this politely: send me the file now.",
    "Plan": "Plan a 20-minute lunch with eggs and spinach.",
    "Code": "Write a Python function that counts vowels.",
}

state = st.session_state
state.setdefault(actions.SYSTEM_KEY, actions.SYSTEM_PROMPT)


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
    model_picker.model_picker(found)
    with st.expander("System prompt", icon=":material/assignment_ind:", key="chat_system_panel"):
        st.text_area(
            "System prompt",
            key=actions.SYSTEM_KEY,
            height=120,
            label_visibility="collapsed",
            help="How the model should behave. It is sent before everything else.",
            persist_state="session",
        )
    parameter_panel.parameter_panel(preset_choice, for_chat=True)
    st.segmented_control(
        "Answers to each question",
        [1, 2, 3, 4],
        default=1,
        required=True,
        key=actions.ANSWER_COUNT_KEY,
        help="More than one are drawn side by side.",
        persist_state="session",
    )
    conversation_list()
    with st.container(horizontal=True, vertical_alignment="center"):
        service_badge()
        render_import_export()


def render_welcome() -> None:
    st.title("What should a small model try?", anchor=False)
    if not found.is_ready or not found.health:
        service_callout(found)
        return
    urls = [st.context.url or "", api().settings.api_base_url, found.health.model_server.url]
    st.markdown(privacy_notice(*urls))
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
    """Tell what could not be done, and give how many elements that takes.

    A question that could not be asked stays until it can.
    """
    error: ApiError | None = state.get(ERROR_KEY)
    questions = unsent_in_conversation()
    for number, entry in enumerate(questions):
        with st.container(key=f"chat_user_unsent_{number}"):
            render_new_question(entry[1])
        with st.container(horizontal=True):
            for label, act in (("Ask now", actions.retry_unsent), ("Discard", actions.discard)):
                key = f"chat_unsent_{label[:3].lower()}_{number}"
                st.button(label, key=key, on_click=act, args=[entry])
    if error:
        first = questions[0] if questions else None
        error_callout(error, on_retry=lambda: actions.retry_unsent(first), key="chat_problem_retry")
    return 2 * len(questions) + bool(error)


def unsent_in_conversation() -> list[tuple[str | None, str]]:
    return [entry for entry in unsent_questions() if entry[0] == current_conversation_id()]


def is_error_shown(conversation: Conversation) -> bool:
    """Tell whether what is wrong now stands on the page already, where something failed for it."""
    told = [(last.error or {}).get("message") for last in conversation.active_branch()[-1:]]
    errors = [job.answer.error for job in question.jobs] if question else []
    told += [error.message for error in [state.get(ERROR_KEY), *errors] if error]
    return found.error is not None and found.error.message in told


def render_bottom(*, is_answering: bool) -> None:
    # Always first at the bottom: where anything else took its place there, Streamlit would draw the
    # whole page anew, and jump. It puts it there by itself; inside st.bottom the page would not
    # follow an answer down.
    st.chat_input(
        "Message the model …",
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
                on_click=actions.stop,
            )
        else:
            st.empty()
        st.caption("Small models make things up. Check what matters.", text_alignment="center")


def run_script(name: str, number: int) -> None:
    # A script runs where its text is new.
    script = f'<script src="app/static/{name}.js?{number}"></script>'
    with st.container(key=f"chat_script_{name}"):
        st.html(script, unsafe_allow_javascript=True)


def stream_answers(question: PendingTurn, view: PendingTurnView) -> None:
    """Draw answers until all are over."""
    view.stream()
    if any(job.answer.error for job in question.jobs):
        service_status.clear()
    st.rerun()


load_chat_from_url()
finish_turn()
question = pending_turn()
# Looked at once: an answer that ends while this script draws is drawn as ended by the next run.
is_answering = question is not None and not question.is_over
conversation = current_conversation()
view: PendingTurnView | None = None

render_bottom(is_answering=is_answering)  # before an answer: whoever sees a word of it can stop it
if conversation:
    st.empty()  # what is left of the welcome would stay, dimmed, under an answer
    head, thread = st.container(), st.container()
    with thread:  # first, with what is new in it, so that this is seen at once
        view = render_thread(conversation, question)
    with head:
        render_header(conversation)
found = service_status()  # may take a moment, which a new question need not wait for
if not (conversation or unsent_in_conversation()):
    with st.container(key="chat_welcome"):
        render_welcome()
with st.container():
    count = render_errors()
    if (
        conversation
        and not found.is_ready
        and not is_answering
        and not is_error_shown(conversation)
    ):
        service_callout(found)
        count += 1
    clear_stale_elements("chat_problems", count)
with st.sidebar:
    render_sidebar()
run_script("accessibility", 0)
run_script("autoscroll", id(question) if question else 0)
open_requested_dialog(found)
if question and view and is_answering:
    stream_answers(question, view)
