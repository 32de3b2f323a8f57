"""Search in files without a chat: the best passages, with the words of the question marked."""

from collections.abc import Sequence

import streamlit as st

from api.errors import ApiError
from api.files import SearchHit
from components.callouts import error_callout
from files.collection_list import name_of
from files.file_list import request_dialog
from files.file_text import marked_html, place_text, short_name
from files.highlight import matching_words
from files.library import Library, files_client
from files.text_view import Quote

RESULTS = 10
PASSAGE = "View passage"
_QUERY_KEY, _SCOPE_KEY, _RESULT_KEY = "files_query", "files_scope", "files_hits"
_MAX_QUERY_CHARACTERS = 1000

state = st.session_state


def search_view(shown: Library) -> None:
    names = {collection.id: name_of(collection) for collection in shown.collections}
    if state.get(_SCOPE_KEY) not in names:
        state[_SCOPE_KEY] = None
    query = st.text_input(
        "Search files",
        key=_QUERY_KEY,
        placeholder="A question or some words",
        max_chars=_MAX_QUERY_CHARACTERS,
        icon=":material/search:",
    ).strip()
    if names:
        st.selectbox(
            "Search in",
            list(names),
            format_func=names.__getitem__,
            index=None,
            placeholder="All files",
            key=_SCOPE_KEY,
        )
    if not query:
        st.caption("No model is asked: this is what a chat would find in the files.")
        return
    try:
        hits = _search(query, state.get(_SCOPE_KEY))
    except ApiError as error:
        error_callout(error, on_retry=lambda: None, key="files_search_retry")
        return
    for number, hit in enumerate(hits):
        _render_hit(number, hit, query)
    if not hits:
        st.caption("No passages found")


def _search(query: str, collection: str | None) -> Sequence[SearchHit]:
    """Return the hits, and the same ones until something else is searched."""
    request = (query, collection)
    if state.get(_RESULT_KEY, (None, None))[0] != request:
        hits = files_client().search(query, collection=collection, count=RESULTS)
        state[_RESULT_KEY] = (request, hits)
    found: Sequence[SearchHit] = state[_RESULT_KEY][1]
    return found


def _render_hit(number: int, hit: SearchHit, query: str) -> None:
    passage = hit.content[0]
    parts = [place_text(passage.page, passage.heading), f"score {hit.score:.2f}"]
    quote = Quote(
        hit.file_id,
        hit.filename,
        passage.start,
        passage.end,
        passage.text,
        passage.page,
        passage.heading,
    )
    with st.container(border=True, key=f"files_hit_{number}", gap="xsmall"):
        st.text(short_name(hit.filename))
        with st.container(key=f"status_lines_hit_{number}"):
            st.text(" · ".join(part for part in parts if part))
        marks = matching_words(passage.text, query)
        st.html(f'<div class="file-text">{marked_html(passage.text, marks)}</div>')
        st.button(
            PASSAGE,
            icon=":material/article:",
            key=f"files_hit_open_{number}",
            type="tertiary",
            on_click=request_dialog,
            args=[PASSAGE, quote],
        )
