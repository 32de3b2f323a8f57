"""Start turns: store the conversation with its settings, then stream the answers."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from api.chat_chunk import Chunk
from api.conversation import Conversation, Message
from api.errors import ApiError
from chat.answer_round import stored_rounds
from chat.file_turn import allows_tools, file_search_field, stream_chat
from chat.request import ChatSettings, storage_options, to_request
from chat.session import (
    PendingTurn,
    conversations,
    current_conversation,
    current_conversation_id,
    discard_pending_turn,
    open_conversation,
    pending_turn,
    pending_turns,
)
from chat.stream_job import AnswerStreamJob, StreamedAnswer
from components.service_status import api
from controls import model_picker, parameter_panel, tool_switches
from controls.preset_picker import apply_clicks
from files.attachments import attachments

SYSTEM_KEY = "chat_system"
ANSWER_COUNT_KEY = "chat_answers"
POLL_SECONDS = 0.02

state = st.session_state


def current_settings() -> ChatSettings:
    """Return the settings chosen in the sidebar."""
    apply_clicks()
    model = model_picker.selected_model()
    return ChatSettings(
        system=(state.get(SYSTEM_KEY) or "").strip(),
        model=model,
        defaults=model_picker.default_parameters(model),
        parameters=parameter_panel.chat_parameters(),
        wants_logprobs=parameter_panel.wants_logprobs(),
        tools=tool_switches.usable_tools(),
        files=attachments(),
    )


def stop() -> None:
    """Stop the answers of the open conversation."""
    if turn := pending_turn():
        turn.stop()


def idle_conversation() -> Conversation:
    """Stop and drop the pending turn, and return the open conversation.

    Raises:
        ApiError: No conversation is open.
    """
    stop()
    if (conversation := current_conversation()) is None:
        raise ApiError("This chat is no longer open.", "Select it in the sidebar.")
    discard_pending_turn(conversation)
    return conversation


def idle_conversation_saved() -> Conversation:
    """Stop and drop the pending turn, and store the current settings in the conversation."""
    idle_conversation()
    return save_conversation()


def save_conversation() -> Conversation:
    """Store the current settings in the open conversation, or in a new one, and return it."""
    fields, conversation_id = current_settings().conversation_fields(), current_conversation_id()
    client = conversations()
    conversation = (
        client.update(conversation_id, fields) if conversation_id else client.create(fields)
    )
    open_conversation(conversation)
    return conversation


def branch_to(conversation: Conversation, message_id: str) -> list[Message]:
    """Return the messages down to `message_id`.

    Raises:
        ApiError: The message was deleted.
    """
    branch = conversation.branch_to(message_id)
    if not branch:
        raise ApiError("This message no longer exists.", "Reload the chat.")
    return branch


def start_turn(turn: PendingTurn, *, prefix: str = "") -> None:
    """Start streaming the answers to a question; with a `prefix`, one answer that continues it."""
    settings = current_settings()
    question = "" if turn.question_id else turn.question
    context = turn.conversation.messages_in_context(turn.branch())
    body = to_request(context, question, settings, prefix=prefix)
    files = file_search_field(turn.file_options)
    # A call would end the answer to be continued.
    tools = settings.tools if allows_tools(files) and not prefix else ()
    options = partial(storage_options, turn.conversation.id, tools=tools, files=files)
    stored_body = body | options(parent=turn.parent_id)
    turn.jobs.append(AnswerStreamJob(lambda: stream_chat(stored_body), prefix=prefix))
    count = 1 if prefix else int(state.get(ANSWER_COUNT_KEY) or 1)
    for number in range(1, count):
        open_stream = partial(_stream_sibling, turn, number, _with_seed(body, number), options)
        turn.jobs.append(AnswerStreamJob(open_stream))
    pending_turns()[turn.conversation.id] = turn


def continue_turn(turn: PendingTurn, decisions: Mapping[str, Any]) -> None:
    """Go on with the steps of a turn: run or deny those that `decisions` has, by their calls."""
    client, settings = api(), current_settings()
    rounds = stored_rounds(turn.started)
    steps = [step for each in rounds for step in each.steps]
    names = sorted({*settings.tools, *(step.tool for step in steps)})
    tools = [name for name in names if tool_switches.allowed_tool(name)]
    # The result of the others is that they were not allowed: the API does not know their tool.
    decisions = {
        step.id: decisions[step.id] for step in steps if step.id in decisions and step.tool in tools
    }
    context = turn.conversation.messages_in_context([*turn.branch(), *turn.started])
    body = to_request(context, "", settings, undecided=decisions)
    body |= storage_options(
        turn.conversation.id,
        turn.started[-1].id,
        tools=tools,
        files=files if allows_tools(files := file_search_field({})) else {},
        approvals=decisions,
    )
    turn.jobs.append(AnswerStreamJob(lambda: client.stream_chat(body), rounds=rounds))
    pending_turns()[turn.conversation.id] = turn


async def _stream_sibling(
    turn: PendingTurn,
    number: int,
    body: dict[str, Any],
    options: Callable[..., dict[str, Any]],
) -> AsyncGenerator[Chunk]:
    """Stream another answer to the question as soon as the answer before it is stored.

    So the answers are stored in the order in which they are shown.
    """
    stored_body = body | options(parent=await _stored_question(turn))
    await _wait_until_stored(turn.jobs[number - 1].answer)
    async for chunk in api().stream_chat(stored_body):
        yield chunk


async def _wait_until_stored(answer: StreamedAnswer) -> None:
    while True:
        if answer.stored is not None or answer.is_over:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _stored_question(turn: PendingTurn) -> str:
    """Wait until the first answer has stored the question, and return its id.

    Raises:
        ApiError: The question could not be stored.
    """
    first = turn.jobs[0].answer
    await _wait_until_stored(first)
    if first.stored is None:
        return turn.question_id or await _question_of_refused_answer(turn)
    return first.stored.user_message


async def _question_of_refused_answer(turn: PendingTurn) -> str:
    """Return the id of the question, which is stored although the error does not tell it."""
    conversation = await asyncio.to_thread(conversations().get, turn.conversation.id)
    branch = conversation.active_branch()
    if conversation.current == turn.conversation.current or len(branch) < 2:
        error = turn.jobs[0].answer.error
        raise error or ApiError("The message could not be saved.", "Try again.")
    return branch[-2].id


def _with_seed(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Set a seed that differs from the first answer's, also if that one is fixed."""
    seed = body.get("seed", -1)
    other_seed = random.randrange(2**31) if seed == -1 else (seed + number) % 2**63  # noqa: S311
    return body | {"seed": other_seed}
