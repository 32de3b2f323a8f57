"""What is being asked, on the page: the question where it is new, and its answers as they come."""

import math
import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from chat import actions
from chat.answer_view import AnswerView
from chat.message_view import render_question
from chat.session import PendingTurn, current_conversation
from chat.stream_job import Answer
from components.callouts import error_callout

# How often an answer is drawn: sooner while its first word is waited for. A browser on two cores
# is busy for a quarter of the time with 12 times a second.
FIRST_SECONDS, DRAW_SECONDS = 0.02, 1 / 12
QUESTION_FLUSH_SECONDS = 0.15
_SEEN = "chat_seen"

state = st.session_state


class PendingTurnView:
    """Draws a question and its answers, each where it will stand once it is kept."""

    def __init__(self, question: PendingTurn) -> None:
        self._question = question
        self._views: list[AnswerView] = []
        self.is_new = state.get(_SEEN) is not question
        state[_SEEN] = question
        #: Roles of the messages whose places it takes.
        self.roles = ["assistant"] if question.question_id else ["user", "assistant"]

    def render(self, places: Sequence[DeltaGenerator]) -> None:
        *above, below = places
        for place in above:
            with place:
                render_question(self._question.question)
        self._views = _render_answers(self._question, below)

    def render_question_first(self) -> None:
        """Give the browser a moment for a new question alone: it draws all that it gets as one."""
        if self.is_new:
            until = time.monotonic() + QUESTION_FLUSH_SECONDS
            self.stream(until=until)
            time.sleep(max(0, until - time.monotonic()))

    def stream(self, *, until: float = math.inf) -> None:
        """Draw the answers as they grow, until all are over or that moment has come."""
        jobs = self._question.jobs
        # Looking at the state lets Streamlit end a script whose tab has gone.
        while current_conversation() and not self._question.is_over and time.monotonic() < until:
            for view, job in zip(self._views, jobs, strict=True):
                view.render(job.answer)
            running = next((job for job in jobs if not job.answer.is_over), None)
            is_waiting = running is not None and running.answer.state == "waiting"
            for job in jobs:
                job.wait((FIRST_SECONDS if is_waiting else DRAW_SECONDS) if job is running else 0)


def render_new_question(text: str) -> None:
    """Draw a question that is not in the thread yet."""
    with st.chat_message("user", avatar=":material/person:"):
        render_question(text)


def _render_answers(question: PendingTurn, below: DeltaGenerator) -> list[AnswerView]:
    """Draw the answers as far as they have come; side by side, if there are several."""
    count = len(question.jobs)
    places = below.columns(count) if count > 1 else [below]
    views = []
    for place, job in zip(places, question.jobs, strict=True):
        with place, st.chat_message("assistant", avatar=":material/bolt:"):
            view = AnswerView()
            view.render(job.answer)
            _render_error(job.answer, question)
            views.append(view)
    return views


def _render_error(answer: Answer, question: PendingTurn) -> None:
    """Say why an answer that is over is not among those that are kept."""
    if not answer.is_over or not question.is_over:
        return
    if answer.error:
        error_callout(answer.error, on_retry=actions.retry_turn, key=f"chat_retry_{id(answer)}")
    elif answer is question.jobs[0].answer:
        st.caption("This is not kept yet: the API does not say how it ended.")
        st.button("Look again", icon=":material/refresh:", key="chat_look")
