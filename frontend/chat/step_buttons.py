"""The buttons of a step: three for one that awaits approval, one for one that can run again."""

from collections.abc import Callable

import streamlit as st

from api.chat_chunk import Step
from chat import step_actions
from chat.step_actions import arguments_key, arguments_problem, decision_on
from chat.step_view import arguments_json
from chat.thread_items import ThreadItem
from controls.tool_switches import allowed_tool, source_of, title_of
from sanitize.plain_text import plain_text


def step_buttons(item: ThreadItem) -> Callable[[Step], None]:
    """Return what renders the buttons of a step of this item."""

    def render(step: Step) -> None:
        if step.state == "awaiting_approval" and step in item.last_steps:
            _render_approval(item, step)
        elif step.state in ("failed", "interrupted") and allowed_tool(step.tool):
            st.button(
                step_actions.TRY_AGAIN,
                icon=":material/replay:",
                key=f"chat_try_{item.message_of(step).id}",
                on_click=step_actions.try_again,
                args=[item, step],
            )

    return render


def _render_approval(item: ThreadItem, step: Step) -> None:
    if decision := decision_on(item, step):
        word = "Denied" if decision == "deny" else "Allowed"
        st.caption(f"{word}. Decide on the other calls to go on.")
        return
    tool, key = allowed_tool(step.tool), arguments_key(item, step)
    if tool:
        changes = "says it changes nothing" if tool.read_only else "may change data"
        st.caption(f"{title_of(tool)} · {source_of(tool)} · {changes}")
    else:
        st.caption("This tool is not available now, or set to never run.")
    st.session_state.setdefault(key, arguments_json(step.arguments))
    st.text_area(
        "Arguments (JSON)", key=key, height="content", persist_state="session", max_chars=200_000
    )
    problem = arguments_problem(st.session_state[key] or "", tool)
    if problem:
        st.error(plain_text(problem), icon=":material/error:")
    _render_choice(item, step, can_run=tool is not None and not problem)


def _render_choice(item: ThreadItem, step: Step, *, can_run: bool) -> None:
    message_id = item.message_of(step).id
    with st.container(key=f"chat_approval_{message_id}", horizontal=True, gap="xsmall"):
        st.button(
            step_actions.ALLOW_ONCE,
            key=f"chat_allow_{message_id}",
            type="primary",
            on_click=step_actions.allow,
            args=[item, step],
            disabled=not can_run,
        )
        st.button(
            step_actions.ALWAYS,
            key=f"chat_always_{message_id}",
            on_click=step_actions.allow_always,
            args=[item, step],
            disabled=not can_run,
        )
        st.button(
            step_actions.DENY,
            key=f"chat_deny_{message_id}",
            on_click=step_actions.deny,
            args=[item, step],
        )
