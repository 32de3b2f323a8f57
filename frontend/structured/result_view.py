"""A structured output on the page: while it streams, and with its validation result.

Model output is rendered as code or plain text, which load and run nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import strict_json
from api.errors import ApiError
from api.structured_response import (
    Attempt,
    FailureDetails,
    PromptSent,
    StructuredResponse,
    Unenforced,
    ValidationIssue,
)
from components.background_job import JobResult
from components.callouts import error_callout
from controls import parameter_panel
from sanitize.plain_text import message_text, plain_text
from sanitize.render_cost import limit_code
from structured import result_text
from structured.stream_job import StructuredRun

KEY_RETRY, KEY_MORE_TOKENS = "structured_retry", "structured_more_tokens"
MAX_ISSUES = 8
MAX_ITEMS = 50  # of a list of rules or fields
MAX_MESSAGE_CHARACTERS = 300
MAX_CODE_PIXELS = 360


class ResultView:
    """Render a run, updated in place. A finished output keeps its position on the page."""

    def __init__(self, run: StructuredRun) -> None:
        self.result: JobResult = run
        self._run = run
        self._status, self._output = st.empty(), st.empty()
        self._rendered_progress = self._rendered_output = ""

    def render(self) -> None:
        """Render progress and partial output if they changed."""
        if (progress := result_text.progress_label(self._run)) != self._rendered_progress:
            self._rendered_progress = progress
            self._status.markdown(f":shimmer[{progress}]")
        self._render_output()

    def render_result(
        self,
        error: ApiError | None,
        *,
        on_retry: Callable[[], None],
        on_more_tokens: Callable[[int], None],
    ) -> None:
        """Render the result of a finished run, and its error unless it is shown elsewhere.

        `on_more_tokens` retries with that many as max_tokens.
        """
        run = self._run
        with self._status.container():
            if run.response:
                _render_valid(run, run.response.answer.attempts)
            elif run.failure:
                _render_failure(run, run.failure)
                st.button("Retry", icon=":material/refresh:", key=KEY_RETRY, on_click=on_retry)
            elif error:
                _render_error(error, on_retry, on_more_tokens)
            elif not run.error:
                st.text("Stopped. Partial output:" if run.output else "Stopped.")
        if not run.failure:
            self._render_output()
        if run.response:
            _render_download(run)
            _render_details(Details.of(run.response))
        elif run.failure:
            _render_details(Details.from_failure(run.failure))

    def _render_output(self) -> None:
        if self._run.output != self._rendered_output:
            self._rendered_output = self._run.output
            _render_code(self._rendered_output, self._output)


@dataclass(frozen=True)
class Details:
    """The content of the expanders below a result."""

    text: str
    attempts: list[Attempt]
    sent: PromptSent | None
    unenforced: list[Unenforced]
    mentioned: list[str] = field(default_factory=list)
    has_grammar: bool | None = None

    @classmethod
    def of(cls, response: StructuredResponse) -> Self:
        answer = response.answer
        return cls(
            answer.text,
            answer.attempts,
            answer.sent,
            response.unenforced,
            mentioned=list(dict.fromkeys(response.mentioned or ())),
            has_grammar=response.has_grammar,
        )

    @classmethod
    def from_failure(cls, failure: FailureDetails) -> Self:
        # The text is shown beside the errors.
        return cls("", failure.attempts, failure.sent, failure.unenforced)


def _render_valid(run: StructuredRun, attempts: list[Attempt]) -> None:
    with _status_container():
        st.badge("Valid (format only)", icon=":material/check_circle:", color="green")
        st.text(result_text.summary_line(run, attempts))
    st.caption("The values may still be wrong.")


def _render_failure(run: StructuredRun, failure: FailureDetails) -> None:
    with _status_container():
        st.badge(result_text.failure_label(run), icon=":material/error:", color="red")
        st.text(result_text.summary_line(run, failure.attempts))
    if run.error:
        st.markdown(message_text(run.error.message))
    errors, text = st.columns(2)
    with errors, st.container(key="structured_issues", gap="small"):
        st.markdown("**Errors**")
        _render_issues(failure.attempts[-1].errors if failure.attempts else [])
    with text, st.container(key="structured_raw", gap="small"):
        st.markdown("**Raw text**")
        _render_raw_text("raw", failure.text or " ", height=_code_height(failure.text))


def _render_error(
    error: ApiError, on_retry: Callable[[], None], on_more_tokens: Callable[[int], None]
) -> None:
    shown, tokens = result_text.with_schema_location(error), result_text.needed_tokens(error)
    if not tokens or not parameter_panel.can_raise_max_tokens(tokens):
        error_callout(shown, on_retry=on_retry, key=KEY_RETRY)
        return
    error_callout(shown, on_retry=None, key=KEY_RETRY)
    with st.container(key="structured_retries", horizontal=True, gap="small"):
        st.button(
            f"Set Max tokens to {tokens:,} and retry",
            icon=":material/expand:",
            key=KEY_MORE_TOKENS,
            on_click=on_more_tokens,
            args=[tokens],
        )
        st.button("Retry", icon=":material/refresh:", key=KEY_RETRY, on_click=on_retry)


def _status_container() -> DeltaGenerator:
    return st.container(
        key="structured_verdict", horizontal=True, vertical_alignment="center", gap="small"
    )


def _render_issues(issues: list[ValidationIssue]) -> None:
    for number, issue in enumerate(issues[:MAX_ISSUES]):
        with st.container(key=f"structured_fault_{number}", gap=None):
            location = result_text.location_label(issue.pointer)
            st.text(f"{_truncate(location)} · {_truncate(issue.keyword)}")
            st.text(_truncate(issue.message))
    if len(issues) > MAX_ISSUES:
        st.text(f"and {len(issues) - MAX_ISSUES} more")


def _render_download(run: StructuredRun) -> None:
    st.download_button(
        "Download JSON",
        run.output,
        f"{run.target.name}.json",
        "application/json",
        key="structured_download",
        icon=":material/download:",
        on_click="ignore",
    )


def _render_details(details: Details) -> None:
    with st.container(key="structured_details", gap="xsmall"):
        if details.has_grammar is False:
            st.text(
                "This model server does not support grammars. The schema was only in the prompt, "
                "and the output was validated afterwards."
            )
        if details.attempts:
            with st.expander(f"Attempts: {len(details.attempts)}", icon=":material/repeat:"):
                _render_attempts(details.attempts)
        if details.text:
            with st.expander("Raw text", icon=":material/notes:"):
                _render_raw_text("raw", details.text)
        if details.sent:
            with st.expander("Sent to the model", icon=":material/outgoing_mail:"):
                _render_sent(details.sent)
        if details.mentioned:
            label = f"Mentioned in the prompt: {len(details.mentioned):,}"
            with st.expander(label, icon=":material/format_quote:"):
                _render_mentioned(details.mentioned)
        if details.unenforced and details.has_grammar is not False:
            label = f"Not enforced by the grammar: {len(details.unenforced)}"
            with st.expander(label, icon=":material/rule:"):
                _render_unenforced(details.unenforced)


def _render_attempts(attempts: list[Attempt]) -> None:
    rows = [result_text.attempt_row(number, attempt) for number, attempt in enumerate(attempts, 1)]
    safe = [{name: plain_text(_truncate(value)) for name, value in row.items()} for row in rows]
    st.table(safe, border="horizontal", hide_index=True, alt="Attempts")


def _render_sent(sent: PromptSent) -> None:
    st.markdown("Instruction, added before your prompt:")
    _render_raw_text("instruction", sent.instruction)
    st.markdown("Schema for the grammar, narrowed to limit the length of the output:")
    schema = strict_json.format_json(sent.schema_)
    _render_code(schema, height=_code_height(schema))


def _render_unenforced(unenforced: list[Unenforced]) -> None:
    st.markdown("The grammar cannot enforce these rules. The output was validated against them:")
    _render_list(list(dict.fromkeys(map(result_text.unenforced_label, unenforced))))


def _render_mentioned(names: list[str]) -> None:
    st.markdown("Optional fields that were required because the prompt mentions them:")
    _render_list(names)


def _render_list(labels: list[str]) -> None:
    with st.container(gap="xxsmall"):
        for label in labels[:MAX_ITEMS]:
            st.text(f"- {_truncate(label)}")
        if len(labels) > MAX_ITEMS:
            st.text(f"and {len(labels) - MAX_ITEMS} more")


def _render_code(
    code: str,
    element: DeltaGenerator | None = None,
    *,
    height: int | Literal["content"] = "content",
) -> None:
    """Render JSON, highlighted unless that would take long."""
    shown, is_cheap = limit_code(code)
    language = "json" if is_cheap else None
    (element or st).code(shown, language=language, wrap_lines=True, height=height)


def _render_raw_text(name: str, text: str, *, height: int | Literal["content"] = "content") -> None:
    """Render a text as it is; offer one that is cut as a file."""
    shown, _ = limit_code(text)
    st.code(shown, language=None, wrap_lines=True, height=height)
    if shown != text:
        st.download_button(
            "Download all of it",
            text.encode(errors="replace"),
            f"{name}.txt",
            "text/plain",
            key=f"structured_{name}_file",
            icon=":material/download:",
            on_click="ignore",
        )


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[:MAX_MESSAGE_CHARACTERS] + "…"


def _code_height(text: str) -> int | Literal["content"]:
    return MAX_CODE_PIXELS if len(text) > 1500 or text.count("\n") > 20 else "content"
