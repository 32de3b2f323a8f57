"""What a message's menu opens."""

import streamlit as st

from api.conversation import Message
from chat import actions
from chat.message_view import WANTED
from chat.receipt_view import show_logprobs, show_receipt
from components.callouts import dialog_button
from components.service_status import ServiceStatus

state = st.session_state


def open_requested_dialog(found: ServiceStatus) -> None:
    """Open what was chosen in a message's menu."""
    choice, message = state.pop(WANTED, (None, None))
    if choice == "Numbers":
        show_receipt(message, found)
    elif choice == "Probabilities":
        show_logprobs(message)
    elif choice == "Copy":
        _show_source(message)
    elif choice == "Delete":
        _confirm_deletion(message)


@st.dialog("The text as it was written", width="large")
def _show_source(message: Message) -> None:
    st.code(message.content, language=None, wrap_lines=True)
    st.caption("The button in its corner copies it.")


@st.dialog("Delete this message?")
def _confirm_deletion(message: Message) -> None:
    st.text("It is deleted with all that follows it. This cannot be undone.")
    dialog_button(
        "Delete",
        icon=":material/delete:",
        type="primary",
        key="chat_delete_message",
        on_click=actions.delete,
        args=[message.id],
    )
