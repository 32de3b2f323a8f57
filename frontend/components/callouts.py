"""Pieces that every page may draw."""

import re
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import streamlit as st

from api.errors import ApiError
from sanitize.markdown_blocks import sanitize_markdown

_ADDRESS = re.compile(r"(?<!`)https?://[^\s`,;)]*[^\s`,;).]")


def error_callout(error: ApiError, *, on_retry: Callable[[], None] | None, key: str) -> None:
    """Show an error: what happened, what to try next, and a button that tries again, if it can."""
    parts = [_told(error.message), _told(error.next_step)]
    if error.next_step:
        parts[0] = f"**{parts[0]}**"
    with st.container(gap="small"):
        st.warning("\n\n".join(parts), icon=":material/info:")
        if on_retry:
            st.button("Retry", icon=":material/refresh:", key=key, on_click=on_retry)


def dialog_button(
    label: str, *, icon: str, key: str, on_click: Callable[..., None], **looks: Any
) -> None:
    """Draw a button of a dialog, which is closed once the button has done its work."""
    if st.button(label, icon=icon, key=key, on_click=on_click, **looks):
        st.rerun()


def clear_stale_elements(key: str, drawn: int) -> None:
    """Clear what an earlier run drew here beyond these elements; `key` remembers how many.

    It would stay, dimmed, for as long as an answer is drawn.
    """
    for _ in range(st.session_state.get(key, 0) - drawn):
        st.empty()
    st.session_state[key] = drawn


def browser_timezone() -> timezone | None:
    """Give the time zone of whoever looks, where the browser tells it."""
    minutes = st.context.timezone_offset
    return None if minutes is None else timezone(timedelta(minutes=-minutes))


def _told(words: str) -> str:
    """Show an address as what it is: a name, and not a place to go to."""
    return sanitize_markdown(_ADDRESS.sub(r"`\g<0>`", words))
