"""What a user can do with a step: allow or deny its call, edit its arguments, try it again."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs
import streamlit as st

import strict_json
from api.chat_chunk import Step
from api.conversation import Message
from api.tools import Tool
from chat import turns
from chat.actions import show_errors
from chat.session import PendingTurn
from chat.step_view import arguments_json
from chat.thread_items import ThreadItem
from components.schema_validator import SchemaValidator
from components.service_status import api
from controls.tool_switches import allowed_tool, available_tools

ALLOW_ONCE, ALWAYS, DENY, TRY_AGAIN = "Allow once", "Always allow", "Deny", "Try again"
DECISIONS_KEY = "chat_decisions"  # of steps whose answer has others that are not decided
_MAX_PROBLEM_CHARACTERS = 300

state = st.session_state


def arguments_key(item: ThreadItem, step: Step) -> str:
    return f"chat_arguments_{item.message_of(step).id}"


def decision_on(item: ThreadItem, step: Step) -> Any:
    return state.get(DECISIONS_KEY, {}).get(item.message_of(step).id)


def arguments_problem(text: str, tool: Tool | None) -> str:
    """Return why a text cannot be the arguments of a tool, or nothing."""
    try:
        value = strict_json.parse(text)
    except ValueError as error:
        return f"Invalid JSON: {error}."
    if not isinstance(value, dict):
        return 'Arguments are a JSON object, such as {"name": "value"}.'
    issues = _schema_issues(text, tool.parameters) if tool else []
    return " ".join(issues)[:_MAX_PROBLEM_CHARACTERS]


@show_errors
def allow(item: ThreadItem, step: Step) -> None:
    _allow(item, [step])


@show_errors
def allow_always(item: ThreadItem, step: Step) -> None:
    """Let the tool run without asking from now on, also in the other steps that wait."""
    steps = [other for other in item.awaiting if other.tool == step.tool]
    if all(_decision(item, each) for each in steps):
        api().set_approval(step.tool, "always")
        available_tools().clear()
        _allow(item, steps)


@show_errors
def deny(item: ThreadItem, step: Step) -> None:
    _decide(item, {step.id: "deny"})


@show_errors
def try_again(item: ThreadItem, step: Step) -> None:
    """Run the call of a step once more; the answer goes on from its result."""
    _go_on(item.up_to_results(item.message_of(step)), {step.id: "allow"})


@show_errors
def go_on(item: ThreadItem) -> None:
    """Let the model answer from the results."""
    _go_on(item.messages, {})


def _allow(item: ThreadItem, steps: Sequence[Step]) -> None:
    decisions = {step.id: _decision(item, step) for step in steps}
    if all(decisions.values()):  # else the page shows what is wrong with the arguments
        _decide(item, decisions)


def _decision(item: ThreadItem, step: Step) -> Any:
    """Return how the API is told that a call may run, or None if its arguments are invalid."""
    text = state.get(arguments_key(item, step))
    if text is None:
        return "allow"
    if arguments_problem(text, allowed_tool(step.tool)):
        return None
    arguments = strict_json.parse(text)
    is_edited = arguments != strict_json.parse(arguments_json(step.arguments))
    return {"arguments": arguments} if is_edited else "allow"


def _decide(item: ThreadItem, decisions: Mapping[str, Any]) -> None:
    """Keep decisions, and send them once there is one on each step."""
    kept: dict[str, Any] = state.setdefault(DECISIONS_KEY, {})
    kept |= {item.message_of(step).id: decisions[step.id] for step in item.awaiting
             if step.id in decisions}  # fmt: skip
    all_decisions = {step.id: decision_on(item, step) for step in item.awaiting}
    if all(all_decisions.values()):
        _go_on(item.messages, all_decisions)


def _go_on(messages: Sequence[Message], decisions: Mapping[str, Any]) -> None:
    conversation = turns.idle_conversation_saved()
    turns.branch_to(conversation, messages[-1].id)
    question_id = conversation.parent_question(messages[0])
    turn = PendingTurn(conversation, "", messages[0].parent, question_id, started=messages)
    turns.continue_turn(turn, decisions)


def _schema_issues(text: str, schema: dict[str, Any]) -> list[str]:
    try:
        issues = SchemaValidator(schema).issues(text)
    except (jsonschema_rs.ValidationError, ValueError):
        return []  # the API checks them
    return [f"{issue.pointer or 'Arguments'}: {issue.message}." for issue in issues]
