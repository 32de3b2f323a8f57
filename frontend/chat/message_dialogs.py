"""The dialogs of a message's menu."""

import streamlit as st

from api.conversation import Message
from chat import actions
from chat.file_answer_view import CITATION
from chat.image_view import DIALOG_KEY, IMAGE, show_image
from chat.message_view import DELETE, PROBABILITIES, STATS
from components.callouts import dialog_button
from components.service_status import ServiceStatus
from files.text_view import show_passage
from receipts.receipt_view import show_logprobs, show_receipt

state = st.session_state


def open_requested_dialog(service: ServiceStatus) -> None:
    """Open the dialog that was chosen in a message's menu, if any."""
    if DIALOG_KEY not in state:
        return
    choice, item = state.pop(DIALOG_KEY)
    if choice == IMAGE:
        show_image(item)
    elif choice == CITATION:
        show_passage(item)
    elif choice == STATS:
        show_receipt(item.answer, service)
    elif choice == PROBABILITIES:
        show_logprobs(item.answer)
    elif choice == DELETE:
        _confirm_deletion(item.first)


@st.dialog("Delete this message?")
def _confirm_deletion(message: Message) -> None:
    st.text("This message and everything after it will be deleted. This cannot be undone.")
    dialog_button(
        "Delete",
        icon=":material/delete:",
        type="primary",
        key="chat_delete_message",
        on_click=actions.delete,
        args=[message.id],
    )
