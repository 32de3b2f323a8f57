"""An answer on the page, drawn while it is written and, in the same place, once it is there."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.chat_chunk import Progress
from chat.stream_job import Answer
from sanitize.markdown_blocks import sanitize_markdown, split_blocks


class AnswerView:
    """Draws only what has changed: drawing all of a long answer at every word is slow.

    What is drawn is replaced by drawing over it. A place of st.empty() would be cleared before it
    is filled, and a browser may show the moment between.
    """

    def __init__(self) -> None:
        self._place = st.container()
        self._head = self._place  # then the phase, and later the reasoning
        self._text: DeltaGenerator | None = None
        self._reasoning: DeltaGenerator | None = None
        self._blocks: dict[int, DeltaGenerator] = {}
        self._drawn: dict[str | int, str] = {}

    def render(self, answer: Answer) -> None:
        if answer.state == "waiting" and not answer.text:
            if self._changed("phase", waiting := progress_label(answer.progress)):
                self._head = self._head.markdown(f":shimmer[{waiting}]")
            return
        if not answer.text and not answer.reasoning:
            return
        if self._text is None:
            self._head = self._head.container()
            self._text = self._place.container()
        if self._changed("reasoning", answer.reasoning):
            place = self._reasoning or self._head.expander(
                "Reasoning", icon=":material/psychology:"
            )
            self._reasoning = place.markdown(sanitize_markdown(answer.reasoning), anchors=False)
        for number, block in enumerate(split_blocks(answer.text)):
            if self._changed(number, block):
                place = self._blocks.get(number, self._text)
                self._blocks[number] = place.markdown(sanitize_markdown(block), anchors=False)

    def _changed(self, place: str | int, text: str) -> bool:
        is_new = self._drawn.get(place, "") != text
        self._drawn[place] = text
        return is_new


def progress_label(progress: Progress) -> str:
    """Say what an answer is waiting for."""
    if progress.phase == "waiting":
        return f"In line, number {progress.position} …" if progress.position else "In line …"
    if progress.phase == "loading":
        return "The model is loading …"
    if progress.phase == "reading":
        read = "" if progress.fraction is None else f": {progress.fraction:.0%}"
        return f"Reading the prompt{read} …"
    return "Waiting for the first word …"
