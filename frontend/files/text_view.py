"""The text of a file as it was read: all of it in parts, or a passage in its surroundings."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from api.errors import ApiError
from api.files import FilePassage, StoredFile
from components.callouts import error_callout
from files.file_text import count_text, marked_html, place_text, short_name
from files.library import files_client
from sanitize.plain_text import message_text, plain_text, visible_text

PART_CHARACTERS = 20_000
CONTEXT_CHARACTERS = 500  # that are shown before and after a quote
MAX_QUOTE_CHARACTERS = 4000
FILE_NOT_FOUND = "file_not_found"
DELETED = "The file has been deleted. This is what was quoted from it."
_PART_KEY, _ALL_KEY = "files_text_part", "files_text_all"
_MAX_GAP_LINES = 2

state = st.session_state


class Quote(NamedTuple):
    """A part of a file's text, `start:end`, as an answer or a search has it."""

    file_id: str
    filename: str
    start: int
    end: int
    text: str = ""
    page: int | None = None
    heading: str | None = None


def passages_html(passages: Sequence[FilePassage], start: int = 0, end: int = 0) -> str:
    """Return passages as HTML in which `start:end` of the file's text is marked."""
    output, page, position = list[str](), None, None
    for passage in passages:
        gap = 0 if position is None else passage.start - position
        if passage.page and passage.page != page:
            output.append(f'</div><p class="file-page">Page {passage.page}</p><div>')
        else:
            output.append("\n" * min(gap, _MAX_GAP_LINES))
        mark = (max(start - passage.start, 0), end - passage.start)
        output.append(marked_html(passage.text, [mark]))
        page, position = passage.page, passage.end
    return f'<div class="file-text" tabindex="0"><div>{"".join(output)}</div></div>'


def show_text(file: StoredFile, start: int = 0) -> None:
    """Open the text of a file, at the part that a character is in."""
    state[_PART_KEY] = start // PART_CHARACTERS + 1
    _text_dialog(file)


@st.dialog("Text as it was read", width="large")
def _text_dialog(file: StoredFile) -> None:
    st.markdown(f"**{plain_text(short_name(file.filename))}**")
    if file.smolchat.warning:
        st.warning(message_text(visible_text(file.smolchat.warning)), icon=":material/info:")
    _render_or_error(lambda: _render_part(file.id))


def _render_part(file_id: str, quote: Quote | None = None) -> None:
    """Render the part of a text that is chosen, with the numbers of the others.

    Raises:
        ApiError: The file was deleted, or the API does not answer.
    """
    number = state.get(_PART_KEY) or 1
    start = (number - 1) * PART_CHARACTERS
    part = files_client().passages(file_id, start)
    parts = max(-(-part.characters // PART_CHARACTERS), 1)
    if parts > 1:
        st.pagination(parts, key=_PART_KEY)
    st.caption(f"{count_text(part.characters, 'character')} · part {number:,} of {parts:,}")
    passages = [
        each
        for each in part.data
        if each.start < start + PART_CHARACTERS and (each.start >= start or not start)
    ]
    marked = (quote.start, quote.end) if quote else (0, 0)
    st.html(passages_html(passages, *marked))


def show_passage(quote: Quote) -> None:
    """Open a passage with the quote marked in its surroundings."""
    state.pop(_ALL_KEY, None)
    _passage_dialog(quote)


@st.dialog("Passage", width="large")
def _passage_dialog(quote: Quote) -> None:
    st.markdown(f"**{plain_text(short_name(quote.filename))}**")
    if place := place_text(quote.page, quote.heading):
        st.caption(plain_text(place))
    is_all = state.get(_ALL_KEY) == quote
    _render_or_error(
        lambda: _render_part(quote.file_id, quote) if is_all else _render_around(quote)
    )


def _render_around(quote: Quote) -> None:
    try:
        passages = _surroundings(quote)
    except ApiError as error:
        if error.code != FILE_NOT_FOUND:
            raise
        st.warning(DELETED, icon=":material/delete:")
        text = quote.text[:MAX_QUOTE_CHARACTERS]
        st.html(f'<div class="file-text">{marked_html(text, [(0, len(text))])}</div>')
        return
    st.html(passages_html(passages, quote.start, quote.end))
    st.caption(f"Characters {quote.start:,} to {quote.end:,} of the text as it was read")
    st.button("View all of the text", icon=":material/article:", type="tertiary",
        key="files_passage_all", on_click=_show_all, args=[quote])  # fmt: skip


def _show_all(quote: Quote) -> None:
    state[_PART_KEY] = quote.start // PART_CHARACTERS + 1
    state[_ALL_KEY] = quote


def _render_or_error(render: Callable[[], None]) -> None:
    """Render something, or the ApiError why it cannot be, with a button that tries again."""
    try:
        render()
    except ApiError as error:
        error_callout(error, on_retry=lambda: None, key="files_text_retry")


def _surroundings(quote: Quote) -> list[FilePassage]:
    """Return the passages around a quote, of which the first and the last are cut.

    Raises:
        ApiError: The file was deleted, or the API does not answer.
    """
    first = max(quote.start - CONTEXT_CHARACTERS, 0)
    last = quote.end + CONTEXT_CHARACTERS
    passages = files_client().passages(quote.file_id, first).data
    return [_cut(each, first, last) for each in passages if each.start < last]


def _cut(passage: FilePassage, first: int, last: int) -> FilePassage:
    start, end = max(passage.start, first), min(passage.end, last)
    if start > passage.start:  # begin with a whole word
        space = passage.text.find(" ", start - passage.start, end - passage.start)
        start = passage.start + space + 1 if space >= 0 else start
    text = passage.text[start - passage.start : end - passage.start]
    return passage.model_copy(update={"start": start, "end": end, "text": text})
