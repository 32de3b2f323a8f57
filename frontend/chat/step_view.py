"""One step of an answer: the call of a tool, folded unless it failed or awaits approval.

What a tool is named, was given and returned is shown as plain text only.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import strict_json
from api.chat_chunk import Step, StepState
from sanitize.plain_text import code_span, visible_text

MAX_NAME_CHARACTERS = 64
MAX_CHARACTERS = 20_000  # of arguments and of a result

StepActions = Callable[[Step], None]

_ICONS: Mapping[StepState, str] = {
    "running": "spinner",
    "awaiting_approval": ":material/front_hand:",
    "finished": ":material/check_circle:",
    "failed": ":material/error:",
    "denied": ":material/block:",
    "interrupted": ":material/pause_circle:",
}
_STATE_LABELS: Mapping[StepState, str] = {
    "running": ":shimmer[running…]",
    "awaiting_approval": "waiting for your approval",
    "finished": "",
    "failed": ":red[failed]",
    "denied": "denied",
    "interrupted": "interrupted",
}
_STRATEGIES = {
    "native": "Called by the model",
    "constrained": "Called for the model, with arguments that a grammar keeps valid",
}


class StepView:
    """Renders a step where it is created, and again in the same place when it has changed."""

    def __init__(self, parent: DeltaGenerator) -> None:
        self._slot = parent.empty()
        self._rendered: Step | None = None

    def render(self, step: Step, actions: StepActions | None = None) -> None:
        """Render the step with the buttons that `actions` renders, if given."""
        if step == self._rendered:
            return
        self._rendered = step
        is_expanded = step.state == "failed" or (step.state != "finished" and actions is not None)
        container = self._slot.expander(
            step_label(step), expanded=is_expanded, icon=_ICONS[step.state], type="step"
        )
        with container.container(gap="xsmall"):
            if actions is None or step.state != "awaiting_approval":  # else they can be edited
                _render_details(step)
            if actions:
                actions(step)


def step_label(step: Step) -> str:
    """Return the name of the tool, how its call ended, and how long it took."""
    parts = [code_span(short_name(step)), _STATE_LABELS[step.state], duration(step.milliseconds)]
    return " · ".join(part for part in parts if part)


def short_name(step: Step) -> str:
    name = visible_text(step.tool)
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[:MAX_NAME_CHARACTERS]}…"


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def arguments_json(arguments: Any) -> str:
    """Return arguments as indented JSON in which every character can be seen."""
    if isinstance(arguments, str):
        return visible_text(arguments)
    return visible_text(strict_json.format_json({} if arguments is None else arguments))


def _render_details(step: Step) -> None:
    _render_block("Arguments", arguments_json(step.arguments), language="json")
    if step.error:
        _render_block("Error", visible_text(step.error))
    elif step.result and step.state != "denied":
        _render_block("Result", visible_text(step.result))
    if note := _STRATEGIES.get(step.strategy or ""):
        st.caption(note)


def _render_block(title: str, text: str, *, language: Literal["json"] | None = None) -> None:
    st.caption(title)
    hidden = len(text) - MAX_CHARACTERS
    note = f"\n… {hidden:,} more characters; export the chat to see them" * (hidden > 0)
    is_short = len(text) < 1000  # a long one is not highlighted, which takes a browser long
    st.code(text[:MAX_CHARACTERS] + note, language=language if is_short else None, wrap_lines=True)
