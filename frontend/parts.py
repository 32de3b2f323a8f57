"""Pieces that every page may draw."""

import re
from collections.abc import Callable

import streamlit as st

from api_client import ApiError
from safe_markdown import safe_markdown

_ADDRESS = re.compile(r"(?<!`)https?://[^\s`,;)]*[^\s`,;).]")


def callout(error: ApiError, *, on_retry: Callable[[], None], key: str) -> None:
    """Show an error: what happened, what to try next, and a button that tries again."""
    parts = [_told(error.message), _told(error.next_step)]
    if error.next_step:
        parts[0] = f"**{parts[0]}**"
    with st.container(gap="small"):
        st.warning("\n\n".join(parts), icon=":material/info:")
        st.button("Retry", icon=":material/refresh:", key=key, on_click=on_retry)


def _told(words: str) -> str:
    """Show an address as what it is: a name, and not a place to go to."""
    return safe_markdown(_ADDRESS.sub(r"`\g<0>`", words))
