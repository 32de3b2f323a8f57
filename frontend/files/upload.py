"""Uploads: what is dropped on the page is sent to the API, which reads it in the background."""

from collections.abc import Sequence
from typing import IO

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from api.errors import CONNECTION_CODES, ApiError
from api.files import Collection, StoredFile
from components.service_status import api
from files.file_text import count_text, short_name
from files.library import files_client, library
from sanitize.plain_text import message_text, plain_text

KINDS = (
    "PDF, Word (.docx), HTML, Markdown, text, CSV and TSV, JSON and JSON Lines, logs and source "
    "code. Excel, PowerPoint, EPUB and OpenDocument files need the extra `smolchat[documents]` "
    "where the API runs."
)
_GENERATION_KEY, _SENT_KEY = "files_upload_generation", "files_upload_sent"
_PROBLEMS_KEY, _COLLECTION_KEY = "files_upload_problems", "files_upload_collection"
_MAX_SHOWN_PROBLEMS = 5

state = st.session_state


def max_megabytes() -> int:
    """Return the API's limit on a file in the unit of Streamlit's, rounded up."""
    return -(-api().settings.max_file_bytes // 1024**2)


def upload(name: str, content: IO[bytes]) -> StoredFile:
    """Send a file to the API.

    Raises:
        ApiError: It was refused; the message names it.
    """
    try:
        return files_client().upload(name, content)
    except ApiError as error:
        if error.code in CONNECTION_CODES:
            raise
        message = f"{short_name(name)} was not uploaded: {error.message}"
        raise ApiError(message, error.next_step, code=error.code) from error


def uploader(collections: Sequence[Collection]) -> None:
    """Render the field that files are dropped on; send what is dropped."""
    generation = state.setdefault(_GENERATION_KEY, 0)
    files = st.file_uploader(
        "Upload files",
        accept_multiple_files=True,
        key=f"files_upload_{generation}",
        max_upload_size=max_megabytes(),
        label_visibility="collapsed",
    )
    st.caption(KINDS)
    if collections:
        _collection_choice(collections)
    if files:
        _send(files)
    _render_problems(state.get(_PROBLEMS_KEY, []))


def _collection_choice(collections: Sequence[Collection]) -> None:
    names = {collection.id: collection.name for collection in collections}
    if state.get(_COLLECTION_KEY) not in names:
        state[_COLLECTION_KEY] = None
    st.selectbox(
        "Add new files to",
        list(names),
        format_func=lambda collection: short_name(names[collection]),
        index=None,
        placeholder="No collection",
        key=_COLLECTION_KEY,
    )


def _send(files: Sequence[UploadedFile]) -> None:
    """Send the files one by one, then empty the field. A rerun meanwhile goes on with the rest."""
    sent: set[str] = state.setdefault(_SENT_KEY, set())
    problems: list[str] = [] if not sent else state.get(_PROBLEMS_KEY, [])
    state[_PROBLEMS_KEY] = problems
    progress = st.progress(0.0)
    for number, file in enumerate(files):
        text = f"Uploading {plain_text(short_name(file.name))} ({number + 1:,} of {len(files):,})"
        progress.progress(number / len(files), text=text)
        if file.file_id not in sent:
            if problem := _send_one(file):
                problems.append(problem)
            sent.add(file.file_id)
    state[_GENERATION_KEY] += 1
    state[_SENT_KEY] = set()
    library().clear()
    st.rerun()


def _send_one(file: UploadedFile) -> str:
    """Send a file, and return what went wrong, if anything."""
    try:
        stored = upload(file.name, file)
        if collection := state.get(_COLLECTION_KEY):
            files_client().add_to_collection(collection, [stored.id])
    except ApiError as error:
        return f"{error.message} {error.next_step}".strip()
    return ""


def _render_problems(problems: Sequence[str]) -> None:
    if not problems:
        return
    texts = [message_text(problem) for problem in dict.fromkeys(problems)]
    hidden = len(texts) - _MAX_SHOWN_PROBLEMS
    shown = texts[:_MAX_SHOWN_PROBLEMS] + [f"… and {hidden:,} more"] * (hidden > 0)
    st.warning(
        f"**{count_text(len(problems), 'file')} not uploaded**\n\n" + "\n\n".join(shown),
        icon=":material/info:",
    )
    st.button("Dismiss", key="files_upload_dismiss", on_click=lambda: state.pop(_PROBLEMS_KEY))
