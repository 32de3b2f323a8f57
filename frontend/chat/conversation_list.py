"""The sidebar's searchable list of conversations: pinned, then newest first, grouped by day."""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

import streamlit as st

from api.conversation import NO_TITLE, ConversationPage, ConversationSummary
from api.errors import ApiError
from chat import actions
from chat.session import conversations, current_conversation_id
from components.callouts import browser_timezone, clear_stale_elements
from sanitize.plain_text import plain_text

SEARCH_KEY, _COUNT_KEY = "chat_search", "chat_shown"
_PAGE_KEY, _RENDERED_KEY = "chat_list", "chat_list_drawn"
PAGE_SIZE = 20
MAX_SNIPPET_CHARACTERS = 200
DELETED_KEY = "chat_deleted"  # the id of the conversation that was deleted last, and when
UNDO_SECONDS = 30

state = st.session_state


def conversation_list() -> None:
    st.text_input(
        "Search chats",
        key=SEARCH_KEY,
        placeholder="Search chats",
        max_chars=200,  # the API's limit
        icon=":material/search:",
        label_visibility="collapsed",
        on_change=lambda: state.update({_COUNT_KEY: PAGE_SIZE}),
    )
    _render_undo()
    page = _load_page()
    # Both branches take one element: what follows would move, and be shown twice for a moment.
    if page.data:
        st.empty()
    else:
        st.caption("No chats found" if state.get(SEARCH_KEY) else "No chats yet")
    with st.container(key="chat_list", gap=None):
        days = groupby(page.data, _group_label)
        clear_stale_elements(
            _RENDERED_KEY, sum(_render_day(day, list(summaries)) for day, summaries in days)
        )
    if page.has_more:
        st.button("Show more", key="chat_more", type="tertiary", on_click=_show_more)
    else:
        st.empty()


def _render_undo() -> None:
    """Render the button that takes back the last deletion, for half a minute."""
    conversation_id, deleted_at = state.get(DELETED_KEY, ("", 0.0))
    if not conversation_id or time.monotonic() - deleted_at > UNDO_SECONDS:
        st.empty()
        return
    with st.container(key="chat_undo_row", horizontal=True, vertical_alignment="center"):
        st.caption("Chat deleted.")
        st.button("Undo", key="chat_undo", type="tertiary", on_click=_undo, args=[conversation_id])


@actions.show_errors
def _undo(conversation_id: str) -> None:
    state.pop(DELETED_KEY, None)
    conversations().restore(conversation_id)
    actions.open_chat(conversation_id)


def _group_label(summary: ConversationSummary) -> str:
    return "Pinned" if summary.pinned else day_label(summary.updated_at, today())


def _render_day(day: str, summaries: Sequence[ConversationSummary]) -> int:
    """Render the conversations of a day and return the number of elements."""
    st.caption(day)
    for summary in summaries:
        is_open = summary.id == current_conversation_id()
        st.button(
            button_label(summary),
            key=f"chat_open_{'now_' if is_open else ''}{summary.id}",
            type="tertiary",
            on_click=actions.open_chat,
            args=[summary.id],
            width="stretch",
        )
    return 1 + len(summaries)


def button_label(summary: ConversationSummary) -> str:
    """Return the title as plain text, and below it what a search found elsewhere, or the folder."""
    title = plain_text(summary.title) or NO_TITLE
    detail = " ".join((summary.snippet or "").split())[:MAX_SNIPPET_CHARACTERS]
    if detail.strip("… ") in " ".join(summary.title.split()):
        detail = summary.folder or ""
    if not detail:
        return title
    return f"{title}  \n*{plain_text(detail)}*"  # app.css makes it small instead of italic


def day_label(moment: datetime, now: date) -> str:
    """Return the name of the day or period that a moment falls in."""
    day = moment.astimezone(browser_timezone()).date()
    if day >= now:
        return "Today"
    if day == now - timedelta(days=1):
        return "Yesterday"
    if day > now - timedelta(days=7):
        return "Previous 7 days"
    if day > now - timedelta(days=30):
        return "Previous 30 days"
    return f"{day:%B %Y}"


def today() -> date:
    return datetime.now(browser_timezone()).date()


def _load_page() -> ConversationPage:
    """Return the list, or the last one loaded if the API does not answer."""
    try:
        page = conversations().list_page(
            search=state.get(SEARCH_KEY) or "", count=state.get(_COUNT_KEY, PAGE_SIZE)
        )
    except ApiError:
        cached: ConversationPage = state.get(_PAGE_KEY) or ConversationPage(data=[])
        return cached
    state[_PAGE_KEY] = page
    return page


def _show_more() -> None:
    state[_COUNT_KEY] = state.get(_COUNT_KEY, PAGE_SIZE) + 2 * PAGE_SIZE
