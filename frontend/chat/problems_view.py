"""What could not be sent or done, below the messages, with what a user can do about it."""

import streamlit as st

from api.errors import CONNECTION_CODES, ApiError
from chat import actions
from chat.pending_turn_view import render_new_question
from chat.session import (
    ERROR_KEY,
    NOT_FOUND_CODE,
    PendingTurn,
    current_conversation_id,
    is_loading_failed,
    unsent_questions,
)
from components.callouts import error_callout
from components.service_status import CACHE_SECONDS, service_status

state = st.session_state


def render_problems(turn: PendingTurn | None) -> int:
    """Render unsent questions and the current error; return the number of elements.

    A question that could not be sent stays until it can. The error of an API that did not answer
    goes as soon as it answers.
    """
    entries = unsent_in_conversation()
    for number, entry in enumerate(entries):
        with st.container(key=f"chat_user_unsent_{number}"):
            render_new_question(entry[1], f"unsent_{number}")
        with st.container(horizontal=True):
            for label, action in (("Send", actions.retry_unsent), ("Discard", actions.discard)):
                key = f"chat_unsent_{label.lower()}_{number}"
                st.button(label, key=key, on_click=action, args=[entry])
    error: ApiError | None = state.get(ERROR_KEY)
    if error:
        _render_error(error, has_unsent=bool(entries))
    turn_errors = [job.answer.error for job in turn.jobs] if turn and turn.is_over else []
    if any(shown and shown.code in CONNECTION_CODES for shown in (error, *turn_errors)):
        _wait_for_api()  # renders nothing
    return 2 * len(entries) + bool(error)


def unsent_in_conversation() -> list[tuple[str | None, str]]:
    return [entry for entry in unsent_questions() if entry[0] == current_conversation_id()]


def _render_error(error: ApiError, *, has_unsent: bool) -> None:
    with st.container(gap="small"):
        error_callout(error, on_retry=None, key="chat_problem")
        if has_unsent:
            return  # each has a button that sends it again
        if error.code == NOT_FOUND_CODE:
            label, icon, action = "New chat", ":material/add:", actions.new_chat
        elif is_loading_failed():
            label, icon, action = "Retry", ":material/refresh:", actions.retry_loading
        else:
            label, icon, action = "Dismiss", ":material/close:", actions.dismiss_error
        st.button(label, icon=icon, key="chat_problem_action", on_click=action)


@st.fragment(run_every=CACHE_SECONDS)
def _wait_for_api() -> None:
    """Run the page again as soon as the API answers."""
    if service_status().health:
        error: ApiError | None = state.get(ERROR_KEY)
        if error and error.code in CONNECTION_CODES:
            state.pop(ERROR_KEY)
        st.rerun()
