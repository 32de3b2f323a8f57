"""One answer on the page, updated in place while it streams and once it is complete."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.chat_chunk import Progress
from chat.stream_job import StreamedAnswer
from sanitize.markdown_blocks import sanitize_markdown, split_blocks


class AnswerView:
    """Renders only what has changed: rendering all of a long answer for each token is slow.

    An element is updated by rendering over it. An st.empty() would be cleared before it is
    filled, and a browser may paint the moment between.
    """

    def __init__(self) -> None:
        self._container = st.container()
        self._header = self._container  # then the progress label, and later the reasoning
        self._body: DeltaGenerator | None = None
        self._reasoning: DeltaGenerator | None = None
        self._blocks: dict[int, DeltaGenerator] = {}
        self._rendered: dict[str | int, str] = {}

    def render(self, answer: StreamedAnswer) -> None:
        if answer.state == "waiting" and not answer.text:
            if self._changed("progress", label := progress_label(answer.progress)):
                self._header = self._header.markdown(f":shimmer[{label}]")
            return
        if not answer.text and not answer.reasoning:
            return
        if self._body is None:
            self._header = self._header.container()
            self._body = self._container.container()
        if self._changed("reasoning", answer.reasoning):
            element = self._reasoning or self._header.expander(
                "Reasoning", icon=":material/psychology:"
            )
            self._reasoning = element.markdown(sanitize_markdown(answer.reasoning), anchors=False)
        for number, block in enumerate(split_blocks(answer.text)):
            if self._changed(number, block):
                element = self._blocks.get(number, self._body)
                self._blocks[number] = element.markdown(sanitize_markdown(block), anchors=False)

    def _changed(self, key: str | int, text: str) -> bool:
        has_changed = self._rendered.get(key, "") != text
        self._rendered[key] = text
        return has_changed


def progress_label(progress: Progress) -> str:
    """Return what the first token is waiting for."""
    if progress.phase == "waiting":
        return f"Queued, position {progress.position}…" if progress.position else "Queued…"
    if progress.phase == "loading":
        return "Loading the model…"
    if progress.phase == "reading":
        share = "" if progress.fraction is None else f" {progress.fraction:.0%}"
        return f"Processing the prompt…{share}"
    return "Waiting for the first token…"
