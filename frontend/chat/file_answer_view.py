"""What belongs to an answer from files: what was read, its citations, and what to do next."""

from collections.abc import Callable, Sequence

import streamlit as st

from api.chat_chunk import FileCitation, Retrieval, RetrievedPassage
from chat import file_actions
from chat.thread_items import ThreadItem
from files import retrieval_text
from files.citations import MAX_LINKS
from files.file_text import short_name
from files.text_view import Quote
from sanitize.plain_text import plain_text

CITATION = "Citation"
LET_MODEL_ANSWER = "Let the model answer"
NEAREST = "Nearest passage"
MAX_SHOWN_CITATIONS = 8  # the others are folded
_DIALOG_KEY = "chat_dialog"
_MAX_NAME_CHARACTERS = 40

state = st.session_state


def render_file_answer(item: ThreadItem, question_id: str | None, *, is_last: bool) -> None:
    """Render what follows the text of an answer that was given from files."""
    retrieval, citations = shown_retrieval(item), item.answer.annotations or []
    if citations:
        _render_citations(item.id, citations)
    if retrieval is None:
        return
    for note in (retrieval_text.reliability(retrieval), retrieval_text.unread(retrieval)):
        if note:
            st.caption(plain_text(note))
    with st.container(key=f"chat_file_next_{item.id}", horizontal=True, gap="small"):
        if retrieval.nearest:
            _quote_button(NEAREST, f"chat_nearest_{item.id}", _passage_quote(retrieval.nearest))
        if is_last and question_id:
            _render_next(item, question_id)


def shown_retrieval(item: ThreadItem) -> Retrieval | None:
    """Return what an answer was given from; a summary that was stopped has not read all of it."""
    retrieval = item.answer.retrieval
    is_unread = retrieval and retrieval.strategy == "summarise" and not item.answer.content
    return None if is_unread else retrieval


def citation_label(number: int, citation: FileCitation) -> str:
    """Return the label of the button that opens a citation."""
    name = short_name(citation.filename)
    if len(name) > _MAX_NAME_CHARACTERS:
        name = f"{name[:_MAX_NAME_CHARACTERS]}…"
    parts = [name] + [f"page {citation.page}"] * bool(citation.page)
    parts += ["similar passage"] * _is_similar(citation) + ["deleted"] * citation.deleted
    return rf"\[{number + 1}\] {plain_text(' · '.join(parts))}"


def _is_similar(citation: FileCitation) -> bool:
    return citation.match == "similar_passage"


def _render_citations(item_id: str, citations: Sequence[FileCitation]) -> None:
    shown = citations[:MAX_LINKS]
    with st.container(key=f"chat_citations_{item_id}", horizontal=True, gap="small"):
        for number, citation in enumerate(shown[:MAX_SHOWN_CITATIONS]):
            _citation_button(item_id, number, citation)
    if len(shown) > MAX_SHOWN_CITATIONS:
        with (
            st.expander(f"All {len(citations):,} citations", type="compact"),
            st.container(key=f"chat_citations_more_{item_id}", horizontal=True, gap="small"),
        ):
            for number, citation in enumerate(shown[MAX_SHOWN_CITATIONS:], MAX_SHOWN_CITATIONS):
                _citation_button(item_id, number, citation)
            if hidden := len(citations) - len(shown):
                st.caption(f"{hidden:,} more citations are not shown; export the chat to see them")


def _citation_button(item_id: str, number: int, citation: FileCitation) -> None:
    # citations.js finds it by its key when the number in the text is clicked.
    quote = Quote(
        citation.file_id,
        citation.filename,
        citation.start,
        citation.end,
        citation.quote,
        citation.page,
        citation.heading,
    )
    label = citation_label(number, citation)
    _quote_button(label, f"chat_cite_{item_id}-{number}", quote)


def _quote_button(label: str, key: str, quote: Quote) -> None:
    st.button(label, key=key, type="tertiary", on_click=_open, args=[quote])


def _open(quote: Quote) -> None:
    state[_DIALOG_KEY] = (CITATION, quote)


def _passage_quote(passage: RetrievedPassage) -> Quote:
    return Quote(
        passage.file_id,
        passage.filename,
        passage.start,
        passage.end,
        passage.text or "",
        passage.page,
        passage.heading,
    )


def _render_next(item: ThreadItem, question_id: str) -> None:
    """Render what else can be done with the question of the last answer."""
    retrieval = item.answer.retrieval
    if retrieval is None:
        return
    suggestion = retrieval.suggested_task
    if suggestion and suggestion.task in retrieval_text.TASKS and retrieval.task is None:
        _next_button(
            retrieval_text.task_label(suggestion.task, suggestion.phrase, suggestion.n),
            "manage_search",
            f"chat_suggested_{item.id}",
            lambda: file_actions.answer_with_task(item, question_id, suggestion),
        )
    if retrieval.found and retrieval.strategy == "quotes":
        _next_button(
            LET_MODEL_ANSWER,
            "smart_toy",
            f"chat_model_answer_{item.id}",
            lambda: file_actions.let_model_answer(item, question_id),
        )


def _next_button(label: str, icon: str, key: str, on_click: Callable[[], None]) -> None:
    st.button(plain_text(label), icon=f":material/{icon}:", key=key, on_click=on_click)
