"""The collections on the Files page: files that are searched and asked together."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

import streamlit as st

from api.errors import ApiError
from api.files import Collection, StoredFile
from components.callouts import dialog_button, error_callout
from files.file_list import ASK, request_dialog
from files.file_text import count_text, short_name, size_text
from files.library import Library, files_client, library
from sanitize.plain_text import plain_text

FILES, RENAME, DELETE = "Files…", "Rename…", "Delete collection…"
MAX_NAME_CHARACTERS = 256  # the API's limit
PAGE_SIZE = 20
_ERROR_KEY, _NEW_KEY = "files_collection_error", "files_collection_new"
_PAGE_KEY, _ADDED_KEY = "files_collection_page", "files_collection_added"
_NAME_KEY = "files_collection_name"

state = st.session_state
Arguments = ParamSpec("Arguments")


def change(action: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Show an ApiError of the action on the page, and load the list again."""

    @wraps(action)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            action(*args, **kwargs)
        except ApiError as error:
            state[_ERROR_KEY] = error
        library().clear()

    return run


def render_error() -> None:
    """Render the error of the last change, once."""
    if error := state.pop(_ERROR_KEY, None):
        error_callout(error, on_retry=None, key="files_problem")


def collection_list(shown: Library) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("New collection", key=_NEW_KEY, max_chars=MAX_NAME_CHARACTERS)
        st.button("Create", icon=":material/add:", key="files_collection_create", on_click=_create)
    if not shown.collections and not shown.error:
        st.caption("No collections yet. A collection is searched and asked as one.")
    for collection in shown.collections:
        _render_collection(collection)


def name_of(collection: Collection) -> str:
    return short_name(collection.name) if collection.name else "Unnamed collection"


def _render_collection(collection: Collection) -> None:
    counts = collection.file_counts
    parts = [count_text(counts.total, "file"), size_text(collection.usage_bytes)]
    parts += [f"{counts.in_progress:,} being read"] * (counts.in_progress > 0)
    parts += [f"{counts.failed:,} failed"] * (counts.failed > 0)
    key = f"files_collection_menu_{collection.id}"
    with st.container(border=True, key=f"files_collection_{collection.id}", gap="xsmall"):
        st.text(name_of(collection))
        with st.container(key=f"status_lines_collection_{collection.id}"):
            st.text(" · ".join(parts))
        with st.container(key=f"files_actions_{collection.id}", horizontal=True, gap="small"):
            for action, icon in ((FILES, "folder_open"), (ASK, "forum")):
                st.button(
                    action,
                    icon=f":material/{icon}:",
                    key=f"files_{icon}_{collection.id}",
                    type="tertiary",
                    on_click=request_dialog,
                    args=[action, collection],
                    disabled=action == ASK and not counts.completed,
                )
            st.menu_button(
                "More",
                [RENAME, DELETE],
                key=key,
                type="tertiary",
                on_click=lambda: request_dialog(state.get(key) or "", collection),
            )


@change
def _create() -> None:
    if name := (state.get(_NEW_KEY) or "").strip():
        files_client().create_collection(name)
        state[_NEW_KEY] = ""


@st.dialog("Rename collection")
def rename_dialog(collection: Collection) -> None:
    key = f"{_NAME_KEY}_{collection.id}"
    st.text_input("Name", collection.name, key=key, max_chars=MAX_NAME_CHARACTERS)
    dialog_button(
        "Rename",
        icon=":material/edit:",
        key="files_collection_rename",
        type="primary",
        on_click=_rename,
        args=[collection, key],
    )


@change
def _rename(collection: Collection, key: str) -> None:
    if name := (state.get(key) or "").strip():
        files_client().rename_collection(collection.id, name)


@st.dialog("Delete this collection?")
def delete_dialog(collection: Collection) -> None:
    st.text(name_of(collection))
    st.text("Its files stay. Chats that use it can no longer be answered from it.")
    dialog_button(
        "Delete",
        icon=":material/delete:",
        key="files_collection_delete",
        type="primary",
        on_click=change(files_client().delete_collection),
        args=[collection.id],
    )


@st.dialog("Files of the collection", width="large")
def files_dialog(collection: Collection) -> None:
    """Show the files of a collection, a page at a time, to add and remove them."""
    st.markdown(f"**{plain_text(name_of(collection))}**")
    shown = library().get()
    try:
        member_ids = [file.id for file in files_client().collection_files(collection.id)]
    except ApiError as error:
        error_callout(error, on_retry=lambda: None, key="files_collection_retry")
        return
    others = [file.id for file in shown.files if file.id not in set(member_ids)]
    _render_addition(collection, others, shown)
    pages = max(-(-len(member_ids) // PAGE_SIZE), 1)
    page = min(state.get(_PAGE_KEY) or 1, pages)
    for file_id in member_ids[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
        _render_member(collection, file_id, shown)
    if not member_ids:
        st.caption("No files in this collection yet")
    if pages > 1:
        state[_PAGE_KEY] = page
        st.pagination(pages, key=_PAGE_KEY)
    render_error()


def _render_addition(collection: Collection, file_ids: Sequence[str], shown: Library) -> None:
    if not file_ids:
        return
    key = f"{_ADDED_KEY}_{collection.id}_{len(file_ids)}"  # empty again when they are added
    st.multiselect(
        "Add files",
        file_ids,
        format_func=lambda file_id: short_name(shown.files_by_id[file_id].filename),
        key=key,
        placeholder="Choose files",
    )
    st.button(
        "Add",
        icon=":material/add:",
        key="files_collection_add",
        on_click=_add,
        args=[collection, key],
    )


def _render_member(collection: Collection, file_id: str, shown: Library) -> None:
    file = shown.files_by_id.get(file_id)
    with st.container(horizontal=True, vertical_alignment="center", key=f"files_member_{file_id}"):
        st.text(short_name(file.filename) if file else file_id, width="stretch")
        st.button(
            "Remove",
            icon=":material/close:",
            key=f"files_member_remove_{file_id}",
            type="tertiary",
            on_click=change(files_client().remove_from_collection),
            args=[collection.id, file_id],
        )


@change
def _add(collection: Collection, key: str) -> None:
    if file_ids := state.get(key):
        files_client().add_to_collection(collection.id, file_ids)


@st.dialog("Add to a collection")
def add_dialog(file: StoredFile) -> None:
    st.text(short_name(file.filename))
    collections = library().get().collections
    if not collections:
        st.caption("No collections yet. Create one under Collections.")
        return
    names = {collection.id: name_of(collection) for collection in collections}
    key = "files_collection_choice"
    st.selectbox("Collection", list(names), format_func=names.__getitem__, key=key)
    dialog_button(
        "Add",
        icon=":material/add:",
        key="files_collection_add_one",
        type="primary",
        on_click=_add_one,
        args=[key, file.id],
    )


@change
def _add_one(key: str, file_id: str) -> None:
    files_client().add_to_collection(state[key], [file_id])
