"""The sidebar's list of conversations: newest first, by day, searched."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

import streamlit as st

from api.conversation import NO_TITLE, ConversationPage, ConversationSummary
from api.errors import ApiError
from chat import actions
from chat.session import conversations, current_conversation
from components.callouts import browser_timezone, clear_stale_elements
from sanitize.markdown_inline import escape

SEARCH, _SHOWN, _KNOWN, _DRAWN = "chat_search", "chat_shown", "chat_list", "chat_list_drawn"
PAGE = 20

state = st.session_state


def conversation_list() -> None:
    st.text_input(
        "Search chats",
        key=SEARCH,
        placeholder="Search chats",
        max_chars=200,  # as many as the API takes
        icon=":material/search:",
        label_visibility="collapsed",
        on_change=lambda: state.update({_SHOWN: PAGE}),
    )
    page = _page()
    # What is there or not has a place of its own: what follows would move, and be seen twice.
    if page.data:
        st.empty()
    else:
        st.caption("Nothing found." if state.get(SEARCH) else "Chats are kept here.")
    with st.container(key="chat_list", gap=None):
        days = groupby(page.data, lambda head: day_label(head.updated_at, today()))
        clear_stale_elements(_DRAWN, sum(_draw(day, list(heads)) for day, heads in days))
    if page.has_more:
        st.button("Show more", key="chat_more", type="tertiary", on_click=_show_more)
    else:
        st.empty()


def _draw(day: str, heads: Sequence[ConversationSummary]) -> int:
    """Draw the conversations of a day, and give how many elements that takes."""
    here = current_conversation()
    st.caption(day)
    for head in heads:
        is_open = here is not None and head.id == here.id
        st.button(
            button_label(head),
            key=f"chat_open_{'now_' if is_open else ''}{head.id}",
            type="tertiary",
            on_click=actions.open_chat,
            args=[head.id],
            width="stretch",
        )
    return 1 + len(heads)


def button_label(head: ConversationSummary) -> str:
    """Give a title that a button shows as it is, without markdown."""
    return escape(" ".join(head.title.split()) or NO_TITLE)


def day_label(moment: datetime, now: date) -> str:
    """Name the day that a moment was on, the nearer the more exactly."""
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


def _page() -> ConversationPage:
    """Ask for the list; what was known stays while nothing answers."""
    try:
        page = conversations().list_page(
            search=state.get(SEARCH) or "", count=state.get(_SHOWN, PAGE)
        )
    except ApiError:
        known: ConversationPage = state.get(_KNOWN) or ConversationPage(data=[])
        return known
    state[_KNOWN] = page
    return page


def _show_more() -> None:
    state[_SHOWN] = state.get(_SHOWN, PAGE) + 2 * PAGE
