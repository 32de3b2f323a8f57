"""What a person can do in the chat: each is the callback of a button or of the prompt."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from functools import partial, wraps
from typing import Any, ParamSpec

import streamlit as st

from api.chat_chunk import Chunk
from api.conversation import Conversation, Message
from api.errors import ApiError
from chat.request import ChatSettings, storage_options, summary_request, to_request
from chat.session import (
    COMPARED_KEY,
    ERROR_KEY,
    NOT_FOUND_CODE,
    TRUNCATED_KEY,
    PendingTurn,
    conversations,
    current_conversation,
    current_conversation_id,
    discard_pending_turn,
    open_conversation,
    pending_turn,
    pending_turns,
    refresh_conversation,
    unsent_questions,
)
from chat.stream_job import AnswerStreamJob
from components.service_status import api, service_status
from controls import model_picker, parameter_panel

SYSTEM_KEY = "chat_system"
ANSWER_COUNT_KEY = "chat_answers"
POLL_SECONDS = 0.02
# SmolLM2 answers worse under the prompt that its own template puts in when there is none.
SYSTEM_PROMPT = "You are a helpful assistant."

state = st.session_state
Arguments = ParamSpec("Arguments")


def show_errors(action: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Have the page tell what went wrong, instead of failing."""

    @wraps(action)
    def act(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        state.pop(ERROR_KEY, None)
        try:
            action(*args, **kwargs)
        except ApiError as error:
            state[ERROR_KEY] = error

    return act


def current_settings() -> ChatSettings:
    """Give what is chosen in the sidebar."""
    return ChatSettings(
        system=(state.get(SYSTEM_KEY) or "").strip(),
        model=model_picker.selected_model(),
        parameters=parameter_panel.selected_parameters(),
        wants_logprobs=parameter_panel.wants_logprobs(),
    )


@show_errors
def send_message(question: str) -> None:
    """Ask something new at the end of the thread."""
    if not (text := question.strip()):
        return
    entry = (current_conversation_id(), text)
    unsent_questions().append(entry)  # stays on the page until it can be kept
    if is_answering():
        raise ApiError("An answer is being written in this chat.", "Ask again once it has ended.")
    try:
        conversation = _save_conversation()
    except ApiError as error:
        if (
            error.code == NOT_FOUND_CODE
        ):  # it was deleted elsewhere: the question may begin a new one
            open_conversation(None)
            unsent_questions()[unsent_questions().index(entry)] = (None, text)
        raise
    unsent_questions().remove(entry)
    discard_pending_turn(conversation)
    _start_turn(PendingTurn(conversation, text, conversation.current))


@show_errors
def regenerate(question_id: str) -> None:
    """Have a question answered once more, beside the answers that it has."""
    conversation = _idle_conversation_saved()
    question = _branch_to(conversation, question_id)[-1]
    _start_turn(PendingTurn(conversation, question.content, question.parent, question_id))


@show_errors
def edit_and_resend(message_id: str, question: str) -> None:
    """Ask an edited question in the place of an earlier one, which stays beside it."""
    conversation = _idle_conversation_saved()
    state.pop("chat_editing", None)
    old = _branch_to(conversation, message_id)[-1]
    if question.strip():
        _start_turn(PendingTurn(conversation, question.strip(), old.parent))


@show_errors
def continue_answer(answer_id: str) -> None:
    """Have an answer that was cut written on."""
    conversation = _idle_conversation_saved()
    *above, cut = _branch_to(conversation, answer_id)
    question = above[-1]
    again = PendingTurn(conversation, question.content, question.parent, question.id)
    _start_turn(again, begun=cut.content)


@show_errors
def retry_turn() -> None:
    """Ask again what could not be asked."""
    if (failed := pending_turn()) is None:
        return
    if failed.question_id:
        regenerate(failed.question_id)
        return
    try:
        refresh_conversation()
    except ApiError as error:
        if error.code != NOT_FOUND_CODE:
            raise
        open_conversation(None)
    conversation = current_conversation()
    pending_turns().pop(failed.conversation.id, None)
    if conversation is None:  # it was deleted elsewhere: the question begins a new one
        send_message(failed.question)
        return
    if conversation.current != failed.conversation.current:
        return  # it had been kept after all, and is shown with what became of it
    _start_turn(PendingTurn(_save_conversation(), failed.question, failed.parent))


def retry_unsent(entry: tuple[str | None, str] | None) -> None:
    """Ask what could not be asked, or let go of what could not be done."""
    service_status.clear()
    discard(entry)
    if entry:
        send_message(entry[1])


def discard(entry: tuple[str | None, str] | None) -> None:
    state.pop(ERROR_KEY, None)
    if entry in unsent_questions():
        unsent_questions().remove(entry)


@show_errors
def refresh() -> None:
    """See what others have done in this chat."""
    refresh_conversation()


def stop() -> None:
    if question := pending_turn():
        question.stop()


@show_errors
def select_branch(message: Message) -> None:
    """Go on from a message, by the newest that follow it."""
    conversation = _idle_conversation()
    end = {"current": conversation.latest_leaf(message)}
    state.setdefault(COMPARED_KEY, set()).discard(message.parent)
    open_conversation(conversations().update(conversation.id, end))


@show_errors
def delete(message_id: str) -> None:
    """Delete a message and all that follows it."""
    conversation = _idle_conversation()
    conversations().delete_message(conversation.id, message_id)
    refresh_conversation()


@show_errors
def truncate_context() -> None:
    """Send the model only the newest half of what it is sent from now on."""
    conversation = _idle_conversation()
    sent = conversation.messages_in_context(conversation.active_branch())
    newest = [message.id for message in sent[len(sent) // 2 :] if message.role == "user"]
    if not newest or newest[0] == sent[0].id:
        raise ApiError("There is nothing older to leave out.", "Begin a new chat with a summary.")
    open_conversation(conversations().update(conversation.id, {"sent_from": newest[0]}))
    state[TRUNCATED_KEY] = sent[-1].id


@show_errors
def restore_context() -> None:
    """Send the model the whole thread again."""
    open_conversation(conversations().update(_idle_conversation().id, {"sent_from": None}))
    state.pop(TRUNCATED_KEY, None)


@show_errors
def start_with_summary() -> None:
    """Begin a new chat with a summary of this one, which the model writes."""
    conversation = _idle_conversation()
    thread = conversation.active_branch()
    wanted = current_settings().conversation_fields() | {
        "title": f"After: {conversation.title}"[:200]
    }
    open_conversation(conversations().create(wanted))
    send_message(summary_request(thread))


def new_chat() -> None:
    for key in (ERROR_KEY, "chat_editing"):
        state.pop(key, None)
    open_conversation(None)
    state[SYSTEM_KEY] = SYSTEM_PROMPT


@show_errors
def open_chat(conversation_id: str) -> None:
    state.pop("chat_editing", None)
    load_conversation(conversations().get(conversation_id))


def load_conversation(conversation: Conversation) -> None:
    """Open a conversation with what it was last asked with."""
    open_conversation(conversation)
    state[SYSTEM_KEY] = conversation.system_prompt or ""
    model_picker.select_model(conversation.model)
    parameter_panel.set_parameters(conversation.parameters or {})


def is_answering() -> bool:
    question = pending_turn()
    return question is not None and not question.is_over


def _idle_conversation() -> Conversation:
    """Give the open conversation, in which nothing is going on."""
    stop()
    if (conversation := current_conversation()) is None:
        raise ApiError("This chat is not open any more.", "Choose it in the list.")
    discard_pending_turn(conversation)
    return conversation


def _idle_conversation_saved() -> Conversation:
    _idle_conversation()
    return _save_conversation()


def _save_conversation() -> Conversation:
    """Give the open conversation as it is now, or a new one, with the settings of now."""
    wanted, here = current_settings().conversation_fields(), current_conversation_id()
    kept = conversations()
    conversation = kept.update(here, wanted) if here else kept.create(wanted)
    open_conversation(conversation)
    return conversation


def _start_turn(question: PendingTurn, *, begun: str = "") -> None:
    """Have a question answered; `begun` is the start of an answer that is to go on."""
    client = api()
    new = "" if question.question_id else question.question
    sent = question.conversation.messages_in_context(question.branch())
    body = to_request(sent, new, current_settings(), begun=begun)
    id_, seconds = question.conversation.id, client.settings.forsaken_seconds
    kept = body | storage_options(id_, question.parent_id)
    first = AnswerStreamJob(lambda: client.stream_chat(kept), forsaken_seconds=seconds, begun=begun)
    question.jobs.append(first)
    others = 1 if begun else int(state.get(ANSWER_COUNT_KEY) or 1)
    for number in range(1, others):
        beside = partial(_stream_sibling, first, _with_seed(body, number), id_)
        question.jobs.append(AnswerStreamJob(beside, forsaken_seconds=seconds))
    pending_turns()[id_] = question


async def _stream_sibling(
    first: AnswerStreamJob, body: dict[str, Any], conversation: str
) -> AsyncGenerator[Chunk]:
    """Ask for another answer to a question, as soon as it is known where that is kept."""
    while first.answer.stored is None:
        if first.answer.is_over:
            raise first.answer.error or ApiError("The question could not be kept.", "Try again.")
        await asyncio.sleep(POLL_SECONDS)
    question = first.answer.stored.user_message
    async for chunk in api().stream_chat(body | storage_options(conversation, question)):
        yield chunk


def _with_seed(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Draw another answer than the first also where a seed was chosen."""
    seed = body.get("seed", -1)
    drawn = random.randrange(2**31) if seed == -1 else (seed + number) % 2**32  # noqa: S311
    return body | {"seed": drawn}


def _branch_to(conversation: Conversation, message_id: str) -> list[Message]:
    thread = conversation.branch_to(message_id)
    if not thread:
        raise ApiError("This message is not there any more.", "Open the chat again.")
    return thread
