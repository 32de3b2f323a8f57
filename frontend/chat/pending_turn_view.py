"""What is being asked, on the page: the question where it is new, and its answers as they come."""

import math
import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from chat import actions
from chat.answer_view import AnswerView
from chat.message_view import draw_question
from chat.session import Asked, opened
from chat.stream_job import Answer
from components.callouts import callout

# How often an answer is drawn: sooner while its first word is waited for. A browser on two cores
# is busy for a quarter of the time with 12 times a second.
FIRST_SECONDS, DRAW_SECONDS = 0.02, 1 / 12
ALONE_SECONDS = 0.15
_SEEN = "chat_seen"

state = st.session_state


class AskedView:
    """Draws a question and its answers, each where it will stand once it is kept."""

    def __init__(self, question: Asked) -> None:
        self._question = question
        self._views: list[AnswerView] = []
        self.is_new = state.get(_SEEN) is not question
        state[_SEEN] = question
        #: Roles of the messages whose places it takes.
        self.roles = ["assistant"] if question.question_id else ["user", "assistant"]

    def draw(self, places: Sequence[DeltaGenerator]) -> None:
        *above, below = places
        for place in above:
            with place:
                draw_new_question(self._question.question)
        self._views = _draw_answers(self._question, below)

    def show_at_once(self) -> None:
        """Give the browser a moment for a new question alone: it draws all that it gets as one."""
        if self.is_new:
            until = time.monotonic() + ALONE_SECONDS
            self.follow(until=until)
            time.sleep(max(0, until - time.monotonic()))

    def follow(self, *, until: float = math.inf) -> None:
        """Draw the answers as they grow, until all are over or that moment has come."""
        jobs = self._question.jobs
        # Looking at the state lets Streamlit end a script whose tab has gone.
        while opened() and not self._question.is_over and time.monotonic() < until:
            for view, job in zip(self._views, jobs, strict=True):
                view.draw(job.answer)
            running = next((job for job in jobs if not job.answer.is_over), None)
            is_waiting = running is not None and running.answer.state == "waiting"
            for job in jobs:
                job.look((FIRST_SECONDS if is_waiting else DRAW_SECONDS) if job is running else 0)


def draw_new_question(text: str) -> None:
    """Draw a question that is not in the thread yet."""
    with st.chat_message("user", avatar=":material/person:"):
        draw_question(text)


def _draw_answers(question: Asked, below: DeltaGenerator) -> list[AnswerView]:
    """Draw the answers as far as they have come; side by side, if there are several."""
    count = len(question.jobs)
    places = below.columns(count) if count > 1 else [below]
    views = []
    for place, job in zip(places, question.jobs, strict=True):
        with place, st.chat_message("assistant", avatar=":material/bolt:"):
            view = AnswerView()
            view.draw(job.answer)
            _draw_trouble(job.answer, question)
            views.append(view)
    return views


def _draw_trouble(answer: Answer, question: Asked) -> None:
    """Say why an answer that is over is not among those that are kept."""
    if not answer.is_over or not question.is_over:
        return
    if answer.error:
        callout(answer.error, on_retry=actions.retry, key=f"chat_retry_{id(answer)}")
    elif answer is question.jobs[0].answer:
        st.caption("This is not kept yet: the API does not say how it ended.")
        st.button("Look again", icon=":material/refresh:", key="chat_look")
