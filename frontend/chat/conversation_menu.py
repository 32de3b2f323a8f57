"""The menu of the open conversation, and the import and export of all conversations."""

import time

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from api.conversation import NO_TITLE, Conversation
from api.conversations import FILE_EXTENSIONS, ExportFormat
from chat import actions, turns
from chat.conversation_list import DELETED_KEY
from chat.import_result import imported_text, left_out_text
from chat.session import conversations, current_conversation, open_conversation, pending_turns
from components.callouts import dialog_button
from components.service_status import service_status

MAX_IMPORT_MEGABYTES = 64
IMPORT_TYPES = ["json", "jsonl", "zip"]
_FORMAT_NAMES: dict[ExportFormat, str] = {
    "markdown": "Markdown",
    "html": "HTML",
    "json": "JSON (all branches)",
}
_IMPORT_RESULT_KEY = "chat_import_result"

state = st.session_state


def render_header(conversation: Conversation) -> None:
    """Render the title and the menu of the open conversation."""
    with st.container(
        key="chat_head",
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
    ):
        st.text(conversation.title or NO_TITLE)
        _render_menu(conversation)


def _render_menu(conversation: Conversation) -> None:
    # app.css shows the icon alone; the label is for screen readers.
    with st.popover("Chat options", icon=":material/more_horiz:", key="chat_menu", type="tertiary"):
        st.text_input("Title", conversation.title, key=f"chat_title_{conversation.id}")
        st.button(
            "Rename", icon=":material/edit:", key="chat_rename", on_click=_rename, width="stretch"
        )
        st.button(
            "Unpin chat" if conversation.pinned else "Pin chat",
            icon=":material/keep_off:" if conversation.pinned else ":material/keep:",
            key="chat_pin",
            on_click=_toggle_pin,
            width="stretch",
        )
        st.button(
            "Duplicate",
            icon=":material/content_copy:",
            key="chat_duplicate",
            on_click=_duplicate,
            width="stretch",
        )
        for format_ in _FORMAT_NAMES:
            _render_export(conversation, format_)
        is_delete_clicked = st.button(
            "Delete chat…",
            icon=":material/delete:",
            key="chat_delete",
            on_click=turns.stop,  # a dialog takes no clicks while an answer streams
            width="stretch",
        )
    if is_delete_clicked:
        _confirm_deletion(conversation)


def render_import_export() -> None:
    """Render the import of conversations and the export of all of them."""
    with st.popover(
        "Import / export", icon=":material/swap_vert:", key="chat_files", type="tertiary"
    ):
        file = st.file_uploader(
            "Import chats",
            type=IMPORT_TYPES,
            key="chat_import",
            max_upload_size=MAX_IMPORT_MEGABYTES,
            help="An export from SmolChat, Open WebUI, llama.cpp or ChatGPT, or a chat from LM "
            "Studio. Your existing chats are kept.",
        )
        if file is not None:
            _render_import(file)
        st.download_button(
            "Export all chats",
            conversations().export_all,
            "smolchat.json",
            "application/json",
            key="chat_export_all",
            on_click="ignore",
            disabled=service_status().health is None,
        )


def _render_import(file: UploadedFile) -> None:
    """Render the button that imports the file, or the result if it has been imported."""
    file_id, result = state.get(_IMPORT_RESULT_KEY, ("", None))
    if result is None or file_id != file.file_id:
        st.button("Import", key="chat_import_now", type="primary", on_click=_import, args=[file])
        return
    st.success(imported_text(result))
    if text := left_out_text(result):
        st.warning(text)


def _render_export(conversation: Conversation, format_: ExportFormat) -> None:
    st.download_button(
        f"Export as {_FORMAT_NAMES[format_]}",
        lambda: conversations().export(conversation.id, format_),
        f"{conversation.title[:60] or 'chat'}.{FILE_EXTENSIONS[format_]}",
        icon=":material/download:",
        key=f"chat_export_{format_}",
        on_click="ignore",
        disabled=service_status().health is None,
        width="stretch",
    )


@actions.show_errors
def _rename() -> None:
    if conversation := current_conversation():
        title = (state.get(f"chat_title_{conversation.id}") or "").strip()[:200]
        open_conversation(conversations().update(conversation.id, {"title": title}))


@actions.show_errors
def _toggle_pin() -> None:
    if conversation := current_conversation():
        changes = {"pinned": not conversation.pinned}
        open_conversation(conversations().update(conversation.id, changes))


@actions.show_errors
def _duplicate() -> None:
    if conversation := current_conversation():
        actions.load_conversation(conversations().duplicate(conversation.id))


@actions.show_errors
def _import(file: UploadedFile) -> None:
    state[_IMPORT_RESULT_KEY] = (file.file_id, conversations().import_file(file.getvalue()))


@st.dialog("Delete this chat?")
def _confirm_deletion(conversation: Conversation) -> None:
    st.text("All its messages will be deleted.")
    dialog_button(
        "Delete",
        icon=":material/delete:",
        type="primary",
        key="chat_delete_now",
        on_click=_delete,
        args=[conversation],
    )


@actions.show_errors
def _delete(conversation: Conversation) -> None:
    turns.stop()
    if conversations().delete(conversation.id):
        state[DELETED_KEY] = conversation.id, time.monotonic()
    pending_turns().pop(conversation.id, None)
    actions.new_chat()
