"""An object on the page while it grows, and the verdict on it once it is there.

What a model wrote is shown as code or as plain text, which load and run nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import streamlit as st

import strict_json
from api.structured_response import (
    Attempt,
    FailureDetails,
    PromptSent,
    StructuredResponse,
    Unenforced,
)
from components.background_job import JobResult
from components.callouts import error_callout
from sanitize.markdown_blocks import sanitize_markdown
from structured import result_text as words
from structured.stream_job import StructuredRun

KEY_RETRY = "structured_retry"
MOST_FAULTS = 8
MAX_MESSAGE = 300
_HEIGHT = 360


class ResultView:
    """Draws only what has changed; what is final stays where it stood while it grew."""

    def __init__(self, run: StructuredRun) -> None:
        self.outcome: JobResult = run
        self._run = run
        # st.empty() takes away what an earlier run of the script drew here.
        place = st.container() if run.is_over else st.empty().container()
        with place:
            self._status, self._object = st.empty(), st.empty()
        self._said = self._written = ""

    def render(self) -> None:
        """Draw what is new of an object that grows."""
        if (said := words.progress_label(self._run)) != self._said:
            self._said = said
            self._status.markdown(f":shimmer[{said}]")
        self._render_object()

    def render_result(self, *, on_retry: Callable[[], None]) -> None:
        """Draw what has become of it."""
        run = self._run
        with self._status.container():
            if run.reply:
                _render_status(
                    "Valid", words.summary_line(run, run.reply.answer.attempts), is_good=True
                )
            elif lost := run.failure:
                _render_status(
                    words.failure_label(run), words.summary_line(run, lost.attempts), is_good=False
                )
                _render_issues(run, lost)
                st.button("Try again", icon=":material/refresh:", key=KEY_RETRY, on_click=on_retry)
            elif run.error:
                error_callout(
                    words.with_schema_location(run.error), on_retry=on_retry, key=KEY_RETRY
                )
            else:
                st.text("Stopped. This much was certain:" if run.written else "Stopped.")
        if not run.failure:
            self._render_object()
        if run.reply:
            _render_download(run)
            _render_details(Details.of(run.reply))
        elif run.failure:
            _render_details(Details.from_failure(run.failure))

    def _render_object(self) -> None:
        if self._run.written != self._written:
            self._written = self._run.written
            self._object.code(self._written, language="json", wrap_lines=True)


@dataclass(frozen=True)
class Details:
    """What may be unfolded under a verdict."""

    text: str
    attempts: list[Attempt]
    sent: PromptSent | None
    unenforced: list[Unenforced]
    has_grammar: bool = True

    @classmethod
    def of(cls, reply: StructuredResponse) -> Self:
        answer = reply.answer
        return cls(answer.text, answer.attempts, answer.sent, reply.unenforced, reply.has_grammar)

    @classmethod
    def from_failure(cls, lost: FailureDetails) -> Self:
        return cls("", lost.attempts, lost.sent, lost.unenforced)  # its text is beside the errors


def _render_status(verdict: str, cost: str, *, is_good: bool) -> None:
    with st.container(
        key="structured_verdict", horizontal=True, vertical_alignment="center", gap="small"
    ):
        if is_good:
            st.badge(verdict, icon=":material/check_circle:", color="green")
        else:
            st.badge(verdict, icon=":material/error:", color="red")
        st.text(cost)


def _render_issues(run: StructuredRun, lost: FailureDetails) -> None:
    if run.error:
        st.markdown(sanitize_markdown(run.error.message))
    errors, text = st.columns(2)
    with errors, st.container(key="structured_faults", gap="small"):
        st.markdown("**Errors**")
        faults = lost.attempts[-1].errors if lost.attempts else []
        for number, fault in enumerate(faults[:MOST_FAULTS]):
            with st.container(key=f"structured_fault_{number}", gap=None):
                st.text(f"{fault.pointer or 'the root'} · {fault.keyword}")
                st.text(_short(fault.message))
        if len(faults) > MOST_FAULTS:
            st.text(f"and {len(faults) - MOST_FAULTS} more")
    with text:
        st.markdown("**Raw text**")
        st.code(lost.text or " ", language=None, wrap_lines=True, height=_height(lost.text))


def _render_download(run: StructuredRun) -> None:
    st.download_button(
        "Download JSON",
        run.written,
        f"{run.form.name}.json",
        "application/json",
        key="structured_download",
        icon=":material/download:",
        on_click="ignore",
    )


def _render_details(details: Details) -> None:
    with st.container(key="structured_details", gap="xsmall"):
        if not details.has_grammar:
            st.text(
                "This model server cannot hold a model to a schema. All was left to the prompt, "
                "and to the judge."
            )
        if details.attempts:
            with st.expander(f"Attempts: {len(details.attempts)}", icon=":material/repeat:"):
                _render_attempts(details.attempts)
        if details.text:
            with st.expander("Raw text", icon=":material/notes:"):
                st.code(details.text, language=None, wrap_lines=True)
        if details.sent:
            with st.expander("What was sent", icon=":material/outgoing_mail:"):
                _render_sent(details.sent)
        if details.unenforced and details.has_grammar:
            label = f"Not held by the grammar: {len(details.unenforced)}"
            with st.expander(label, icon=":material/rule:"):
                _render_unenforced(details.unenforced)


def _render_attempts(attempts: list[Attempt]) -> None:
    rows = [words.attempt_row(number, attempt) for number, attempt in enumerate(attempts, 1)]
    safe = [{name: sanitize_markdown(value) for name, value in row.items()} for row in rows]
    st.table(safe, border="horizontal", hide_index=True, alt="Attempts")


def _render_sent(sent: PromptSent) -> None:
    st.markdown("Before your prompt, this instruction:")
    st.code(sent.instruction, language=None, wrap_lines=True)
    st.markdown("As the grammar's schema, narrowed so that every answer is short enough:")
    schema = strict_json.format_json(sent.schema_)
    st.code(schema, language="json", wrap_lines=True, height=_height(schema))


def _render_unenforced(unenforced: list[Unenforced]) -> None:
    st.markdown("The model could have broken this. Every answer was judged by it afterwards:")
    for line in dict.fromkeys(map(words.unenforced_label, unenforced)):
        st.text(f"- {line}")


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + " …"


def _height(text: str) -> int | Literal["content"]:
    return _HEIGHT if len(text) > 1500 or text.count("\n") > 20 else "content"
