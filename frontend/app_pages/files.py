"""The Files page: uploads, how far they are read, collections, and search in files."""

from collections.abc import Callable

import streamlit as st

from api.files import Collection, StoredFile
from chat import actions
from components.callouts import dialog_button
from components.service_status import service_badge, service_callout, service_status
from files import collection_list, file_list, search_view, text_view
from files.attachments import Attachments, attach
from files.file_text import short_name
from files.library import files_client, library
from files.upload import uploader

service = service_status()
state = st.session_state


def refresh() -> None:
    service_status.clear()
    library().clear()


@st.dialog("Delete this file?")
def confirm_deletion(file: StoredFile) -> None:
    st.text(short_name(file.filename))
    st.text(
        "Its text is removed from all collections and searches. Answers keep what they quote. "
        "This cannot be undone."
    )
    dialog_button(
        "Delete",
        icon=":material/delete:",
        key="files_delete",
        type="primary",
        on_click=collection_list.change(files_client().delete),
        args=[file.id],
    )


def ask_in_chat(target: StoredFile | Collection) -> None:
    """Open a new chat that is answered from a file or a collection."""
    actions.new_chat()
    attached = Attachments()
    is_file = isinstance(target, StoredFile)
    attach(attached.with_file(target.id) if is_file else attached.with_collection(target.id))
    st.switch_page("app_pages/chat.py")


ACTIONS: dict[str, Callable[..., None]] = {
    file_list.TEXT: text_view.show_text,
    file_list.ASK: ask_in_chat,
    file_list.ADD: collection_list.add_dialog,
    file_list.DELETE: confirm_deletion,
    collection_list.FILES: collection_list.files_dialog,
    collection_list.RENAME: collection_list.rename_dialog,
    collection_list.DELETE: collection_list.delete_dialog,
    search_view.PASSAGE: text_view.show_passage,
}

action, arguments = state.pop(file_list.DIALOG_KEY, ("", ()))
with st.sidebar:
    service_badge()

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Files", anchor=False, width="content")
    st.button("Refresh", icon=":material/refresh:", key="files_refresh", on_click=refresh)
st.markdown("Upload files, then ask about them in a chat, or search them here.")
shown = library().get()
if service.health is None:
    service_callout(service)
collection_list.render_error()
files_tab, collections_tab, search_tab = st.tabs(["Files", "Collections", "Search"])
with files_tab:
    uploader(shown.collections)
    file_list.file_list(shown)
with collections_tab:
    collection_list.collection_list(shown)
with search_tab:
    search_view.search_view(shown)
if action in ACTIONS:
    ACTIONS[action](*arguments)
