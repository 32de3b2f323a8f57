"""Error callouts and small widgets used on every page."""

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import streamlit as st

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


def browser_timezone() -> timezone | None:
    """Return the browser's time zone, or None if unknown."""
    minutes = st.context.timezone_offset
    return None if minutes is None else timezone(timedelta(minutes=-minutes))
