"""An answer on the page, drawn while it is written and, in the same place, once it is there."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from answer_job import Answer
from safe_markdown import blocks, safe_markdown

WAITING = ":shimmer[Waiting for the first word …]"
# Emptied when an answer begins: of one that it replaces nothing stays, dimmed, until it is over.
OLD_BLOCKS = 20


class AnswerView:
    """Draws only what has changed: drawing all of a long answer at every word is slow."""

    def __init__(self) -> None:
        self._folded = st.empty()
        self._text = st.container()
        self._reasoning: DeltaGenerator | None = None
        self._slots: list[DeltaGenerator] = []
        self._drawn: dict[str | int, str] = {}

    def draw(self, answer: Answer) -> None:
        if answer.state == "waiting":
            if self._is_new(0, WAITING):
                self._slot(OLD_BLOCKS)
                self._slot(0).markdown(WAITING)
            return
        if self._is_new("reasoning", answer.reasoning):
            self._draw_reasoning(answer.reasoning)
        for number, block in enumerate(blocks(answer.text)):
            if self._is_new(number, block):
                self._slot(number).markdown(safe_markdown(block), anchors=False)

    def _is_new(self, place: str | int, text: str) -> bool:
        is_new = self._drawn.get(place) != text
        self._drawn[place] = text
        return is_new

    def _slot(self, number: int) -> DeltaGenerator:
        while number >= len(self._slots):
            self._slots.append(self._text.empty())
        return self._slots[number]

    def _draw_reasoning(self, reasoning: str) -> None:
        if self._reasoning is None and reasoning:
            folded = self._folded.expander("Reasoning", icon=":material/psychology:")
            self._reasoning = folded.empty()
        if self._reasoning is not None:
            self._reasoning.markdown(safe_markdown(reasoning), anchors=False)
