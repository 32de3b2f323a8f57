"""One answer on the page, updated in place while it streams and once it is complete."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import strict_json
from api.chat_chunk import Progress, ToolCall
from chat.stream_job import StreamedAnswer
from sanitize.markdown_blocks import sanitize_markdown, split_blocks
from sanitize.plain_text import code_span


class AnswerView:
    """Renders only what has changed: rendering all of a long answer for each token is slow.

    An element is updated by rendering over it. An st.empty() would be cleared before it is
    filled, and a browser may paint the moment between.
    """

    def __init__(self) -> None:
        container = st.container()
        self._header, self._body = container.container(), container.container()
        self._footer = container.container()
        self._reasoning: DeltaGenerator | None = None
        self._elements: dict[str, DeltaGenerator] = {}
        self._rendered: dict[str, str] = {}

    def render(self, answer: StreamedAnswer) -> None:
        if answer.reasoning:
            self._reasoning = self._reasoning or self._header.expander(
                "Reasoning", icon=":material/psychology:"
            )
            is_partial = not (answer.is_over or answer.text or answer.tool_calls)
            self._markdown("reasoning", answer.reasoning, self._reasoning, is_partial=is_partial)
        self._render_text(answer)
        self._render_tool_calls(answer.tool_calls)

    def _render_text(self, answer: StreamedAnswer) -> None:
        """Render the blocks of the text, or in the place of the first what the answer waits for."""
        blocks = split_blocks(answer.text) if answer.text else []
        for number, block in enumerate(blocks):
            is_partial = not answer.is_over and number == len(blocks) - 1
            self._markdown(f"block {number}", block, self._body, is_partial=is_partial)
        label = "" if blocks or answer.tool_calls or answer.is_over else _waiting_label(answer)
        if label and self._changed("block 0", label):
            element = self._elements.get("block 0", self._body)
            self._elements["block 0"] = element.markdown(f":shimmer[{label}]")
        number = max(len(blocks), 1 if label else 0)
        while f"block {number}" in self._elements:  # the text has turned out to be reasoning
            if self._changed(f"block {number}", ""):
                self._elements[f"block {number}"].empty()
            number += 1

    def _render_tool_calls(self, calls: Sequence[ToolCall]) -> None:
        for number, call in enumerate(calls):
            name = (call.function and call.function.name) or "unknown"
            if self._changed(key := f"name {number}", name):
                element = self._elements.get(key, self._footer)
                label = f":material/build: Tool call: {code_span(name)}"
                self._elements[key] = element.markdown(label)
            arguments = (call.function and call.function.arguments) or "{}"
            if self._changed(key := f"arguments {number}", arguments):
                element = self._elements.get(key, self._footer)
                text = _indented(arguments)
                self._elements[key] = element.code(text, language="json", wrap_lines=True)

    def _markdown(
        self, key: str, text: str, parent: DeltaGenerator, *, is_partial: bool = False
    ) -> None:
        """Render a text, and once more when it is complete: then its end has a meaning."""
        if self._changed(key, f"{text}…" if is_partial else text):
            element = self._elements.get(key, parent)
            markdown = sanitize_markdown(text, is_partial=is_partial)
            self._elements[key] = element.markdown(markdown, anchors=False)

    def _changed(self, key: str, text: str) -> bool:
        has_changed = self._rendered.get(key, "") != text
        self._rendered[key] = text
        return has_changed


def _waiting_label(answer: StreamedAnswer) -> str:
    return "Thinking…" if answer.reasoning else progress_label(answer.progress)


def progress_label(progress: Progress) -> str:
    """Return what the first token is waiting for."""
    if progress.phase == "waiting":
        return f"Queued, position {progress.position}…" if progress.position else "Queued…"
    if progress.phase == "loading":
        return "Loading the model…"
    if progress.phase == "reading":
        share = "" if progress.fraction is None else f" {progress.fraction:.0%}"
        return f"Processing the prompt…{share}"
    return "Waiting for the first token…"


def _indented(arguments: str) -> str:
    """Return the arguments of a tool call as indented JSON, or as they are if they are not JSON."""
    try:
        return strict_json.format_json(strict_json.parse(arguments))
    except ValueError:
        return arguments
