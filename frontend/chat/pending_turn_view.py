"""A pending turn on the page: its question, if new, and its answers as they stream."""

import math
import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from chat import actions
from chat.answer_view import AnswerView
from chat.image_view import render_images
from chat.message_view import render_empty_row, render_question
from chat.question import as_question
from chat.session import PendingTurn, current_conversation
from chat.stream_job import StreamedAnswer
from components.callouts import error_callout
from sanitize.render_cost import MAX_MESSAGE_COST

# How often an answer is rendered: more often until its first token. At 12 times a second a browser
# on two cores is busy for a quarter of the time.
FIRST_TOKEN_POLL_SECONDS, RENDER_SECONDS = 0.02, 1 / 12
QUESTION_FLUSH_SECONDS = 0.15
# A browser that opens a page loads the page's controls first. React shows none of them as long as
# the page changes more often than this.
OPENING_SECONDS, OPENING_RENDER_SECONDS = 10.0, 0.8
IDLE_KEY = "chat_was_idle"  # the page has been rendered without an answer in progress
_LAST_TURN_KEY = "chat_last_turn"

state = st.session_state


class PendingTurnView:
    """Renders a question and its answers in the slots that the stored messages will use."""

    def __init__(self, turn: PendingTurn) -> None:
        self._turn = turn
        self._views: list[AnswerView] = []
        self.is_new = state.get(_LAST_TURN_KEY) is not turn
        state[_LAST_TURN_KEY] = turn
        #: Roles of the messages whose slots it fills.
        has_question = not (turn.question_id or turn.started)
        self.roles = ["user", "assistant"] if has_question else ["assistant"]

    def render(self, slots: Sequence[DeltaGenerator]) -> None:
        *question_slots, answer_slot = slots
        for slot in question_slots:
            with slot:
                render_new_question(self._turn.question, has_row=True)
        self._views = _render_answers(self._turn, answer_slot)

    def render_question_first(self) -> None:
        """Let the browser paint a new question before the page continues.

        It paints everything that it receives in one go.
        """
        if self.is_new:
            deadline = time.monotonic() + QUESTION_FLUSH_SECONDS
            self.stream(until=deadline)
            time.sleep(max(0, deadline - time.monotonic()))

    def stream(self, *, until: float = math.inf) -> None:
        """Render the answers as they grow, until all are over or until the given time."""
        jobs = self._turn.jobs
        opened_until = 0.0 if IDLE_KEY in state else time.monotonic() + OPENING_SECONDS
        # Reading the session state lets Streamlit end a script whose tab was closed.
        while current_conversation() and not self._turn.is_over and time.monotonic() < until:
            for view, job in zip(self._views, jobs, strict=True):
                view.render(job.answer)
            running = next((job for job in jobs if not job.answer.is_over), None)
            is_waiting = running is not None and running.answer.state == "waiting"
            seconds = FIRST_TOKEN_POLL_SECONDS if is_waiting else RENDER_SECONDS
            # Or a browser would still be rendering the last step, and fall behind.
            seconds = max(seconds, *(view.render_seconds for view in self._views))
            if time.monotonic() < opened_until:
                seconds = OPENING_RENDER_SECONDS
            for job in jobs:
                job.wait(seconds if job is running else 0)


def render_new_question(text: str, key: str = "pending", *, has_row: bool = False) -> None:
    """Render a question that is not stored yet, with the place of its buttons if `has_row`."""
    with st.chat_message("user", avatar=":material/person:"):
        render_question(text)
        render_images(as_question(text).images, key)
        if has_row:
            render_empty_row("pending")


def _render_answers(turn: PendingTurn, slot: DeltaGenerator) -> list[AnswerView]:
    """Render the answers as far as received, side by side if there are several.

    The places of their stats and buttons are kept, so that nothing moves when an answer ends.
    """
    count = len(turn.jobs)
    columns = slot.columns(count) if count > 1 else [slot]
    views = []
    for number, (column, job) in enumerate(zip(columns, turn.jobs, strict=True)):
        with column, st.chat_message("assistant", avatar=":material/bolt:"):
            view = AnswerView(MAX_MESSAGE_COST / count)
            view.render(job.answer)
            if turn.is_over:
                _render_ending(job.answer, is_first=number == 0)
            else:
                with st.container(key=f"chat_stats_pending_{number}"):  # autoscroll.js looks for it
                    st.space("small")
                render_empty_row(f"pending_{number}")
            views.append(view)
    return views


def _render_ending(answer: StreamedAnswer, *, is_first: bool) -> None:
    """Show why an answer that has ended is not stored; the first one has the turn's buttons."""
    if answer.error:
        retry = actions.retry_turn if is_first else None
        error_callout(answer.error, on_retry=retry, key="chat_retry_turn")
    elif is_first:
        st.caption("Not saved yet")
        st.button("Refresh", icon=":material/refresh:", key="chat_look")
