"""What can be done with a whole conversation, and with all of them."""

import streamlit as st

from api.conversation import NO_TITLE, Conversation
from api.conversations import FILE_EXTENSIONS, ExportFormat
from chat import actions
from chat.session import conversations, current_conversation, open_conversation, pending_turns
from components.callouts import dialog_button
from components.service_status import service_status

MAX_IMPORT_MEGABYTES = 64
_FORMS: dict[ExportFormat, str] = {
    "markdown": "Markdown",
    "html": "Web page",
    "json": "JSON (everything)",
}

state = st.session_state


def render_header(conversation: Conversation) -> None:
    """Draw the title of the open conversation, and what can be done with it."""
    with st.container(
        key="chat_head",
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
    ):
        st.text(conversation.title or NO_TITLE)
        _render_menu(conversation)


def _render_menu(conversation: Conversation) -> None:
    with st.popover("This chat", icon=":material/more_horiz:", key="chat_menu", type="tertiary"):
        st.text_input("Title", conversation.title, key=f"chat_title_{conversation.id}")
        st.button(
            "Rename", icon=":material/edit:", key="chat_rename", on_click=_rename, width="stretch"
        )
        st.button(
            "Duplicate",
            icon=":material/content_copy:",
            key="chat_duplicate",
            on_click=_duplicate,
            width="stretch",
        )
        for form, name in _FORMS.items():
            _render_export(conversation, form, name)
        is_unwanted = st.button(
            "Delete chat …",
            icon=":material/delete:",
            key="chat_delete",
            on_click=actions.stop,  # a dialog is heard only when no answer is being drawn
            width="stretch",
        )
    if is_unwanted:
        _confirm_deletion(conversation)


def render_import_export() -> None:
    """Offer to bring conversations in, and to take all of them out."""
    with st.popover(
        "Import, export", icon=":material/swap_vert:", key="chat_files", type="tertiary"
    ):
        file = st.file_uploader(
            "Import chats",
            type="json",
            key="chat_import",
            max_upload_size=MAX_IMPORT_MEGABYTES,
            help="JSON of SmolChat or of Open WebUI. They come beside those that are here.",
        )
        if file is not None:
            st.button(
                "Import", key="chat_import_now", type="primary", on_click=_import, args=[file]
            )
        if told := state.pop("chat_imported", ""):
            st.success(told)
        st.download_button(
            "Export all chats",
            conversations().export_all,
            "smolchat.json",
            "application/json",
            key="chat_export_all",
            on_click="ignore",
            disabled=service_status().health is None,
        )


def _render_export(conversation: Conversation, form: ExportFormat, name: str) -> None:
    st.download_button(
        f"Download {name}",
        lambda: conversations().export(conversation.id, form),
        f"{conversation.title[:60] or 'chat'}.{FILE_EXTENSIONS[form]}",
        icon=":material/download:",
        key=f"chat_export_{form}",
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
def _duplicate() -> None:
    if conversation := current_conversation():
        actions.load_conversation(conversations().duplicate(conversation.id))


@actions.show_errors
def _import(file: st.runtime.uploaded_file_manager.UploadedFile) -> None:
    found = conversations().import_file(file.getvalue())
    state.chat_imported = f"{len(found)} chats were imported."


@st.dialog("Delete this chat?")
def _confirm_deletion(conversation: Conversation) -> None:
    st.text("All that was said in it is deleted. This cannot be undone.")
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
    actions.stop()
    conversations().delete(conversation.id)
    pending_turns().pop(conversation.id, None)
    actions.new_chat()
