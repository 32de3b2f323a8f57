"""An answer on the page, drawn while it is written and, in the same place, once it is there."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from answer_chunk import Progress
from answer_job import Answer
from safe_markdown import blocks, safe_markdown


class AnswerView:
    """Draws only what has changed: drawing all of a long answer at every word is slow.

    What is drawn is replaced by drawing over it. A place of st.empty() would be cleared before it
    is filled, and a browser may show the moment between.
    """

    def __init__(self) -> None:
        self._place = st.container()
        self._head: DeltaGenerator | None = None  # the phase, and later the reasoning
        self._text: DeltaGenerator | None = None
        self._reasoning: DeltaGenerator | None = None
        self._blocks: list[DeltaGenerator] = []
        self._drawn: dict[str | int, str] = {}

    def draw(self, answer: Answer) -> None:
        if answer.state == "waiting" and not answer.text:
            if self._is_new("phase", waiting := phase(answer.progress)):
                self._head = (self._head or self._place).markdown(f":shimmer[{waiting}]")
            return
        if not answer.text and not answer.reasoning:
            return
        if self._text is None:
            self._head = (self._head or self._place).container()
            self._text = self._place.container()
        if self._is_new("reasoning", answer.reasoning):
            self._draw_reasoning(safe_markdown(answer.reasoning))
        for number, block in enumerate(blocks(answer.text)):
            if self._is_new(number, block):
                self._draw_block(number, safe_markdown(block))

    def _is_new(self, place: str | int, text: str) -> bool:
        is_new = self._drawn.get(place, "") != text
        self._drawn[place] = text
        return is_new

    def _draw_block(self, number: int, text: str) -> None:
        assert self._text is not None  # noqa: S101  # made before anything is drawn in it
        if number < len(self._blocks):
            self._blocks[number].markdown(text, anchors=False)
        else:
            self._blocks.append(self._text.markdown(text, anchors=False))

    def _draw_reasoning(self, text: str) -> None:
        assert self._head is not None  # noqa: S101
        if self._reasoning is None:
            self._reasoning = self._head.expander("Reasoning", icon=":material/psychology:")
            self._reasoning = self._reasoning.markdown(text, anchors=False)
        else:
            self._reasoning.markdown(text, anchors=False)


def phase(progress: Progress) -> str:
    """Say what an answer is waiting for."""
    if progress.phase == "waiting":
        return f"In line, number {progress.position} …" if progress.position else "In line …"
    if progress.phase == "loading":
        return "The model is loading …"
    if progress.phase == "reading":
        read = "" if progress.fraction is None else f": {progress.fraction:.0%}"
        return f"Reading the prompt{read} …"
    return "Waiting for the first word …"
