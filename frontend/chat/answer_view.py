"""One answer on the page, updated in place while it streams and once it is complete."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import strict_json
from api.chat_chunk import Progress, Step, ToolCall
from chat.answer_limits import (
    MAX_TOOL_CALLS,
    PLAIN_NOTE,
    LimitedAnswer,
    arguments,
    cut_note,
    limit_rounds,
)
from chat.answer_round import AnswerRound
from chat.step_view import StepActions, StepView
from chat.stream_job import StreamedAnswer
from files.citations import CitedText
from files.retrieval_text import coverage
from sanitize.markdown_blocks import sanitize_markdown, split_blocks
from sanitize.plain_text import code_span, plain_text
from sanitize.render_cost import (
    MAX_MESSAGE_COST,
    MAX_PLAIN_CHARACTERS,
    limit_code,
    render_seconds,
)

MAX_NAME_CHARACTERS = 200  # of a tool


class AnswerView:
    """Renders the rounds of an answer, one below the other."""

    def __init__(
        self,
        budget: float = MAX_MESSAGE_COST,
        step_actions: StepActions | None = None,
        link_id: str | None = None,
    ) -> None:
        """Accept what renders the buttons of a step, and the id that citations are opened by."""
        self._budget = budget
        self._link_id = link_id
        self._step_actions = step_actions
        self._above, self._container = st.container(), st.container()
        self._coverage = ""
        self._coverage_element: DeltaGenerator | None = None
        self._rounds = list[_RoundView]()

    @property
    def render_seconds(self) -> float:
        """How long a browser may take to render what the last step has changed."""
        return sum(view.render_seconds for view in self._rounds)

    def render(self, answer: StreamedAnswer) -> None:
        rounds = list(answer.rounds)
        cited = CitedText.of(rounds[-1].text, answer.citations, self._link_id)
        rounds[-1] = replace(rounds[-1], text=cited.text)
        self._render_coverage(answer)
        if rounds[-1].is_over and not answer.is_over:
            rounds.append(AnswerRound())
        while len(self._rounds) < len(rounds):
            self._rounds.append(_RoundView(self._container.container(), self._step_actions))
        label = "" if _is_running(rounds) else progress_label(answer.progress)
        limits = limit_rounds(rounds, self._budget)
        for number, each in enumerate(rounds):
            is_over = answer.is_over or number < len(rounds) - 1
            self._rounds[number].cited = cited
            self._rounds[number].render(each, limits[number], is_over=is_over, label=label)

    def _render_coverage(self, answer: StreamedAnswer) -> None:
        """Render what of the files was read, once it is known."""
        text = coverage(answer.retrieval) if answer.retrieval else ""
        if text != self._coverage:
            self._coverage = text
            element = self._coverage_element or self._above
            self._coverage_element = element.caption(f":material/attach_file: {plain_text(text)}")


class _RoundView:
    """Renders only what has changed: rendering all of a long answer for each token is slow.

    An element is updated by rendering over it. An st.empty() would be cleared before it is
    filled, and a browser may paint the moment between.
    """

    def __init__(self, container: DeltaGenerator, step_actions: StepActions | None) -> None:
        self.render_seconds = 0.0
        self.cited = CitedText("")
        self._step_actions = step_actions
        self._header, self._body = container.container(), container.container()
        self._footer, self._timeline = container.container(), container.container(gap=None)
        self._reasoning: DeltaGenerator | None = None
        self._elements: dict[str, DeltaGenerator] = {}
        self._rendered: dict[str, str] = {}
        self._steps = list[StepView]()

    def render(
        self, each: AnswerRound, limited: LimitedAnswer, *, is_over: bool, label: str
    ) -> None:
        """Render a round; `label` tells what one that has not begun waits for."""
        self.render_seconds = 0.0
        has_begun = bool(each.text or each.tool_calls or each.steps)
        if each.reasoning:
            self._reasoning = self._reasoning or self._header.expander(
                "Reasoning", icon=":material/psychology:"
            )
            is_partial = not (is_over or has_begun or limited.plain_reasoning)
            self._markdown("reasoning", limited.reasoning, self._reasoning, is_partial=is_partial)
            self._plain("reasoning", limited.plain_reasoning, self._reasoning)
        label = "Thinking…" if label and each.reasoning else label
        self._render_text(limited, is_over=is_over, label="" if has_begun or is_over else label)
        self._plain("text", self.cited.plain(limited.plain_text), self._footer)
        self._render_tool_calls(each.open_calls, limited.highlighted_calls)
        self._render_steps(each.steps, limited.shown_steps)

    def _render_text(self, limited: LimitedAnswer, *, is_over: bool, label: str) -> None:
        """Render the blocks of the text, or in the place of the first what the answer waits for."""
        blocks = split_blocks(limited.text) if limited.text else []
        is_over = is_over or bool(limited.plain_text)
        for number, block in enumerate(blocks):
            is_partial = not is_over and number == len(blocks) - 1
            self._markdown(f"block {number}", block, self._body, is_partial=is_partial)
        if label and self._changed("block 0", label):
            element = self._elements.get("block 0", self._body)
            self._elements["block 0"] = element.markdown(f":shimmer[{label}]")
        number = max(len(blocks), 1 if label else 0)
        while f"block {number}" in self._elements:  # the text has turned out to be reasoning
            if self._changed(f"block {number}", ""):
                self._elements[f"block {number}"].empty()
            number += 1

    def _render_steps(self, steps: Sequence[Step], count: int) -> None:
        """Render the first `count` steps, and all others that a user can decide on."""
        shown = [
            step
            for number, step in enumerate(steps)
            if number < count or step.state == "awaiting_approval"
        ]
        for number, step in enumerate(shown):
            if number == len(self._steps):
                self._steps.append(StepView(self._timeline))
            self._steps[number].render(step, self._step_actions)
        hidden = len(steps) - len(shown)
        note = f"{hidden:,} more steps are not shown; export the chat to see them"
        self._update("steps", note * (hidden > 0), self._footer, DeltaGenerator.caption)

    def _render_tool_calls(self, calls: Sequence[ToolCall], highlighted: int) -> None:
        for number, call in enumerate(calls[:MAX_TOOL_CALLS]):
            name = (call.function and call.function.name) or "unknown"
            if self._changed(key := f"name {number}", name):
                element = self._elements.get(key, self._footer)
                label = f":material/build: Tool call: {code_span(name[:MAX_NAME_CHARACTERS])}"
                self._elements[key] = element.markdown(label)
            text = arguments(call)
            if self._changed(key := f"arguments {number}", text):
                element = self._elements.get(key, self._footer)
                language = "json" if number < highlighted else None
                code, _ = limit_code(_indented(text))
                self._elements[key] = element.code(code, language=language, wrap_lines=True)
        hidden = len(calls) - MAX_TOOL_CALLS
        note = f"{hidden:,} more tool calls are not shown; export the chat to see them"
        self._update("calls", note * (hidden > 0), self._footer, DeltaGenerator.caption)

    def _plain(self, key: str, text: str, parent: DeltaGenerator) -> None:
        """Render the rest of a text, too long to be formatted, and say so."""
        note = PLAIN_NOTE if text else ""
        self._update(f"{key} note", note, parent, DeltaGenerator.caption)
        self._update(f"{key} rest", text[:MAX_PLAIN_CHARACTERS], parent, DeltaGenerator.text)
        self._update(f"{key} cut", cut_note(text), parent, DeltaGenerator.caption)

    def _update(
        self,
        key: str,
        text: str,
        parent: DeltaGenerator,
        render: Callable[[DeltaGenerator, str], DeltaGenerator],
    ) -> None:
        if self._changed(key, text):
            element = self._elements.get(key, parent)
            self._elements[key] = render(element, text) if text else element.empty()

    def _markdown(
        self, key: str, text: str, parent: DeltaGenerator, *, is_partial: bool = False
    ) -> None:
        """Render a text, and once more when it is complete: then its end has a meaning."""
        if self._changed(key, f"{text}…" if is_partial else text):
            self.render_seconds += render_seconds(text)
            element = self._elements.get(key, parent)
            markdown = self.cited.markdown(sanitize_markdown(text, is_partial=is_partial))
            self._elements[key] = element.markdown(markdown, anchors=False)

    def _changed(self, key: str, text: str) -> bool:
        has_changed = self._rendered.get(key, "") != text
        self._rendered[key] = text
        return has_changed


def _is_running(rounds: Sequence[AnswerRound]) -> bool:
    """Return True if the answer waits for a step, which says so itself."""
    return any(step.state == "running" for each in rounds for step in each.steps)


def progress_label(progress: Progress) -> str:
    """Return what the first token is waiting for."""
    if progress.phase == "waiting":
        return f"Queued, position {progress.position}…" if progress.position else "Queued…"
    if progress.phase == "loading":
        return "Loading the model…"
    if progress.phase == "files":
        return f"Reading the files… {progress.fraction or 0:.0%}"
    if progress.phase == "summarising" and progress.part and progress.parts:
        return f"Summarizing part {progress.part:,} of {progress.parts:,}…"
    if progress.phase == "reading":
        share = "" if progress.fraction is None else f" {progress.fraction:.0%}"
        return f"Processing the prompt…{share}"
    return "Waiting for the first token…"


def _indented(arguments: str) -> str:
    """Return the arguments of a tool call as indented JSON, or as they are if they are not JSON."""
    if len(arguments) > MAX_PLAIN_CHARACTERS:
        return arguments
    try:
        return strict_json.format_json(strict_json.parse(arguments))
    except ValueError:
        return arguments
