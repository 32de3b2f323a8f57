"""An answer on the page, drawn while it is written and, in the same place, once it is there."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from answer_chunk import Progress
from answer_job import Answer
from safe_markdown import blocks, safe_markdown


class AnswerView:
    """Draws only what has changed: drawing all of a long answer at every word is slow."""

    def __init__(self, answer: Answer) -> None:
        # Streamlit keeps what an earlier run drew here, dimmed, until the script has ended.
        # st.empty() takes it away; an answer that is over has no need of that, and would flicker.
        self._place = st.container() if answer.is_over else st.empty()
        self._waiting = ""
        self._folded: DeltaGenerator | None = None
        self._text: DeltaGenerator | None = None
        self._reasoning: DeltaGenerator | None = None
        self._slots: list[DeltaGenerator] = []
        self._drawn: dict[str | int, str] = {}

    def draw(self, answer: Answer) -> None:
        if answer.state == "waiting" and not answer.text:
            if (waiting := phase(answer.progress)) != self._waiting:
                self._place.markdown(f":shimmer[{waiting}]")
                self._waiting = waiting
            return
        if not answer.text and not answer.reasoning:
            return
        if self._text is None:
            written = self._place.container()
            self._folded, self._text = written.empty(), written.container()
        if self._is_new("reasoning", answer.reasoning):
            self._draw_reasoning(answer.reasoning)
        for number, block in enumerate(blocks(answer.text)):
            if self._is_new(number, block):
                self._slot(number).markdown(safe_markdown(block), anchors=False)

    def _is_new(self, place: str | int, text: str) -> bool:
        is_new = self._drawn.get(place, "") != text
        self._drawn[place] = text
        return is_new

    def _slot(self, number: int) -> DeltaGenerator:
        assert self._text is not None  # noqa: S101  # made before anything is drawn in it
        while number >= len(self._slots):
            self._slots.append(self._text.empty())
        return self._slots[number]

    def _draw_reasoning(self, reasoning: str) -> None:
        assert self._folded is not None  # noqa: S101
        if self._reasoning is None:
            folded = self._folded.expander("Reasoning", icon=":material/psychology:")
            self._reasoning = folded.empty()
        self._reasoning.markdown(safe_markdown(reasoning), anchors=False)


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
