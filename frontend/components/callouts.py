"""Error callouts and small widgets used on every page."""

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.errors import ApiError
from sanitize.plain_text import message_text


def error_callout(error: ApiError, *, on_retry: Callable[[], None] | None, key: str) -> None:
    """Render an error, what to try next, and a retry button if `on_retry` is set."""
    parts = [message_text(error.message), message_text(error.next_step)]
    if error.next_step:
        parts[0] = f"**{parts[0]}**"
    with st.container(gap="small"):
        st.warning("\n\n".join(parts), icon=":material/info:")
        if on_retry:
            st.button("Retry", icon=":material/refresh:", key=key, on_click=on_retry)


def unexpected_error_callout(_error: Exception) -> bool:
    """Show that the page's script failed; return True to replace Streamlit's own message.

    Streamlit has logged the error.
    """
    st.error(
        "**Something went wrong on this page.** Reload it. Its log has the details.",
        icon=":material/error:",
    )
    return True


def dialog_button(
    label: str, *, icon: str, key: str, on_click: Callable[..., None], **options: Any
) -> None:
    """Render a button that closes its dialog after `on_click`."""
    if st.button(label, icon=icon, key=key, on_click=on_click, **options):
        st.rerun()


def clear_stale_elements(key: str, count: int) -> None:
    """Clear elements of an earlier run beyond the first `count`; `key` stores the count.

    Streamlit would keep them, dimmed, until a streaming response is complete.
    """
    for _ in range(st.session_state.get(key, 0) - count):
        st.empty()
    st.session_state[key] = count


def fresh_container(key: str, content: object) -> DeltaGenerator:
    """Return a container where nothing of an earlier run stays visible if its content is another.

    Streamlit would keep it, dimmed, below a streaming response, even in an st.empty() that is
    filled again. So other content takes the other one of two places; `key` stores which.
    """
    last, is_second = st.session_state.get(key, (None, False))
    if last is not content:
        is_second = not is_second
    st.session_state[key] = (content, is_second)
    if is_second:
        st.empty()
        return st.container()
    container = st.container()
    st.empty()
    return container


def browser_timezone() -> timezone | None:
    """Return the browser's time zone, or None if unknown."""
    minutes = st.context.timezone_offset
    return None if minutes is None else timezone(timedelta(minutes=-minutes))
