"""The list of files on the Files page: how far each is read, and why one could not be."""

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st

from api.files import StoredFile
from components.callouts import browser_timezone
from files.file_text import count_text, short_name, size_text
from files.library import Library, library
from sanitize.plain_text import message_text, visible_text

PAGE_SIZE = 20
REFRESH_SECONDS = 1.0  # while a file is being read
DIALOG_KEY = "files_dialog"  # what to open when the page runs next: an action, and its arguments
TEXT, ASK, ADD, DELETE = "View text", "Ask in a chat", "Add to a collection…", "Delete…"
_FILTER_KEY, _PAGE_KEY, _FAILED_KEY = "files_filter", "files_page", "files_failed_only"
_MAX_ERROR_CHARACTERS = 500
_BADGES: dict[str, tuple[str, str, Literal["green", "orange", "red"]]] = {
    "uploaded": ("Waiting", ":material/hourglass_top:", "orange"),
    "in_progress": ("Reading", ":material/hourglass_top:", "orange"),
    "processed": ("Ready", ":material/check_circle:", "green"),
    "error": ("Failed", ":material/error:", "red"),
}

state = st.session_state


def file_list(shown: Library) -> None:
    """Render the files, again every second while one of them is being read."""
    seconds = REFRESH_SECONDS if shown.is_reading else None
    st.fragment(_render_list, run_every=seconds)(was_reading=shown.is_reading)


def request_dialog(action: str, *arguments: object) -> None:
    state[DIALOG_KEY] = (action, arguments)


def _render_list(*, was_reading: bool) -> None:
    shown = library().get(max_age_seconds=REFRESH_SECONDS)
    # The page opens dialogs: one that this part opened would close with its next refresh.
    if DIALOG_KEY in state or shown.is_reading != was_reading:
        st.rerun()
    if not shown.files:
        if not shown.error:
            st.caption("No files yet. Drop some above.")
        return
    st.text(_totals(shown.files))
    files = _filtered(shown.files)
    pages = max(-(-len(files) // PAGE_SIZE), 1)
    page = min(state.get(_PAGE_KEY) or 1, pages)
    for file in files[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
        _render_file(file)
    if not files:
        st.caption("No files found")
    if pages > 1:
        state[_PAGE_KEY] = page
        st.pagination(pages, key=_PAGE_KEY)


def _totals(files: Sequence[StoredFile]) -> str:
    reading = sum(file.is_being_read for file in files)
    failed = sum(file.status == "error" for file in files)
    parts = [count_text(len(files), "file"), size_text(sum(file.bytes for file in files))]
    parts += [f"{reading:,} being read"] * (reading > 0) + [f"{failed:,} failed"] * (failed > 0)
    return " · ".join(parts)


def _filtered(files: Sequence[StoredFile]) -> list[StoredFile]:
    """Render the filters if there are many files or failures, and return what they let through."""
    has_failed = any(file.status == "error" for file in files)
    text, failed_only = "", False
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(files) > PAGE_SIZE:
            text = st.text_input(
                "Filter by name",
                key=_FILTER_KEY,
                placeholder="Filter by name",
                max_chars=200,
                icon=":material/search:",
                label_visibility="collapsed",
            )
        if has_failed:
            failed_only = st.toggle("Failed only", key=_FAILED_KEY)
    return [
        file
        for file in files
        if text.casefold() in file.filename.casefold()
        and (file.status == "error" or not failed_only)
    ]


def _render_file(file: StoredFile) -> None:
    text, icon, color = _BADGES[file.status]
    time = file.created_at.astimezone(browser_timezone())
    with st.container(border=True, key=f"files_row_{file.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(short_name(file.filename), width="content")
            st.badge(text, icon=icon, color=color)
        with st.container(key=f"status_lines_file_{file.id}"):
            st.text(f"{size_text(file.bytes)} · {time:%d %b %Y, %H:%M}")
        if file.is_being_read:
            share = file.smolchat.progress or 0.0
            st.progress(share, text=f"{share:.0%} read" if share else None)
        if file.smolchat.error:
            message = visible_text(file.smolchat.error.message)[:_MAX_ERROR_CHARACTERS]
            st.error(message_text(message), icon=":material/error:")
        if file.smolchat.warning:
            warning = visible_text(file.smolchat.warning)[:_MAX_ERROR_CHARACTERS]
            st.warning(message_text(warning), icon=":material/info:")
        with st.container(key=f"files_actions_{file.id}", horizontal=True, gap="small"):
            if file.status == "processed":
                for action, icon in ((TEXT, "article"), (ASK, "forum")):
                    _button(action, icon, file)
            choices = [ADD, DELETE] if file.status != "error" else [DELETE]
            _menu(f"files_menu_{file.id}", choices, lambda choice: request_dialog(choice, file))


def _button(action: str, icon: str, file: StoredFile) -> None:
    st.button(
        action,
        icon=f":material/{icon}:",
        key=f"files_{icon}_{file.id}",
        type="tertiary",
        on_click=request_dialog,
        args=[action, file],
    )


def _menu(key: str, choices: list[str], on_choice: Callable[[str], None]) -> None:
    st.menu_button(
        "More",
        choices,
        key=key,
        type="tertiary",
        on_click=lambda: on_choice(state.get(key) or ""),
    )
