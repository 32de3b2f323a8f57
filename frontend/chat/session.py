"""The session state of the chat page: the open conversation and the turns being answered."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from api.conversation import Conversation, Message
from api.conversations import ConversationsClient
from api.errors import CONNECTION_CODES, ApiError
from chat.stream_job import AnswerStreamJob
from components.service_status import api

NOT_FOUND_CODE = "conversation_not_found"
STORE_TIMEOUT_SECONDS = 1.0  # how long the API may take to store the state of an ended answer

_STOP_TRIES, _STOP_PAUSE_SECONDS = 4, 0.1

COMPARED_KEY = "chat_compared"  # IDs of questions whose answers are shown side by side
EDITING_KEY = "chat_editing"  # ID of the message being edited
TRUNCATED_KEY = "chat_truncated_after"  # ID of the last message when the context was truncated
ERROR_KEY = "chat_problem"
UNSENT_KEY = "chat_unsent"
_CONVERSATION_KEY = "chat_conversation"

state = st.session_state


@dataclass
class PendingTurn:
    """A question and its answers in progress, as a reply to the message `parent`.

    `question_id` is set if the question is stored already and only its answer is generated again.
    `started` is set if the answer goes on: the messages of its steps, which are stored.
    `file_options` change how the attached files are used, only for this turn. With `is_followed`,
    the answers were asked for elsewhere, and the stored ones are followed.
    """

    conversation: Conversation
    question: str
    parent: str | None
    question_id: str | None = None
    started: Sequence[Message] = ()
    file_options: Mapping[str, Any] = field(default_factory=dict)
    is_followed: bool = False
    jobs: list[AnswerStreamJob] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return all(job.answer.is_over for job in self.jobs)

    def stop(self) -> None:
        """Stop the answers: the API goes on with those that are not read any more."""
        if self.is_over:
            return
        for job in self.jobs:
            job.stop()
        is_known = all(job.answer.stored for job in self.jobs)
        for _ in range(1 if is_known else _STOP_TRIES):  # a request may still be on its way
            with suppress(ApiError):
                conversations().stop(self.conversation.id)
            time.sleep(0 if is_known else _STOP_PAUSE_SECONDS)

    @property
    def parent_id(self) -> str | None:
        """The parent to send in the request: the question if it is stored, else its parent."""
        return self.question_id or self.parent

    def branch(self) -> list[Message]:
        """Return the stored messages up to the answers, or up to a new question."""
        return self.conversation.branch_to(self.parent_id)


@st.cache_resource(show_spinner=False)
def pending_turns() -> dict[str, PendingTurn]:
    """Return the process's pending turns by conversation ID, so a reloaded page finds its own."""
    return {}


@st.cache_resource(show_spinner=False)
def conversations() -> ConversationsClient:
    return ConversationsClient(api())


def current_conversation() -> Conversation | None:
    """Return the open conversation as it was last loaded."""
    conversation: Conversation | None = state.get(_CONVERSATION_KEY)
    return conversation


def current_conversation_id() -> str | None:
    conversation = current_conversation()
    return conversation.id if conversation else None


def pending_turn() -> PendingTurn | None:
    """Return the turn of the open conversation that is in progress or has failed."""
    conversation = current_conversation()
    return pending_turns().get(conversation.id) if conversation else None


def open_conversation(conversation: Conversation | None) -> None:
    """Open a conversation, or a new chat, and put its ID into the page's URL."""
    state[_CONVERSATION_KEY] = conversation
    if conversation:
        st.query_params["chat"] = conversation.id
    else:
        st.query_params.pop("chat", None)


def sync_with_url() -> bool:
    """Open the conversation in the page's URL; return True if it was not open before.

    Raises:
        ApiError: The conversation could not be loaded.
    """
    requested_id, conversation = st.query_params.get("chat"), current_conversation()
    if requested_id and (conversation is None or requested_id != conversation.id):
        try:
            open_conversation(conversations().get(requested_id))
        except ApiError as error:
            if error.code in (NOT_FOUND_CODE, "not_found"):  # other errors may be temporary
                st.query_params.pop("chat", None)
                raise ApiError("This chat was not found.", code=NOT_FOUND_CODE) from error
            raise
        return True
    if conversation and not requested_id:  # another page was visited in between
        st.query_params["chat"] = conversation.id
    return False


def is_loading_failed() -> bool:
    """Return True if the conversation in the page's URL is not the open one."""
    return st.query_params.get("chat") != (current_conversation_id() or None)


def refresh_conversation() -> None:
    """Reload the open conversation.

    Raises:
        ApiError: The conversation could not be loaded.
    """
    if conversation := current_conversation():
        state[_CONVERSATION_KEY] = conversations().get(conversation.id)


def finish_turn() -> None:
    """Drop the pending turn once its answers have ended and are stored."""
    turn = pending_turn()
    if turn is None or not turn.is_over:
        return
    if turn.is_followed:
        _finish_followed(turn)
        return
    first = turn.jobs[0].answer
    deadline = time.monotonic() + STORE_TIMEOUT_SECONDS
    with suppress(ApiError):  # the turn stays, and is shown with its own error
        refresh_conversation()
        while _has_unfinished_answer() and time.monotonic() < deadline:
            time.sleep(0.05)
            refresh_conversation()
        conversation = current_conversation()
        if conversation and conversation.current != turn.conversation.current:
            _drop_stored_turn(turn, conversation)
            return
        if conversation and first.error and first.error.code in CONNECTION_CODES:
            discard_pending_turn(conversation)  # the API answers again: the error is over
            return
    if (
        turn.question_id or turn.started
    ) and first.stored is None:  # show the earlier answers again
        pending_turns().pop(turn.conversation.id, None)
        if first.error:
            state[ERROR_KEY] = first.error


def _finish_followed(turn: PendingTurn) -> None:
    error = next((job.answer.error for job in turn.jobs if job.answer.error), None)
    try:
        refresh_conversation()
    except ApiError as refresh_error:
        error = error or refresh_error
    pending_turns().pop(turn.conversation.id, None)
    if error:
        state[ERROR_KEY] = error  # without it, the answers would be followed again at once
    elif conversation := current_conversation():
        _drop_stored_turn(turn, conversation)


def _drop_stored_turn(turn: PendingTurn, conversation: Conversation) -> None:
    """Drop a turn whose answers are stored; show several of them side by side."""
    pending_turns().pop(conversation.id, None)
    answers = conversation.active_branch()[-1:]
    if len(turn.jobs) > 1 and answers and (question := conversation.parent_question(answers[0])):
        state.setdefault(COMPARED_KEY, set()).add(question)


def discard_pending_turn(conversation: Conversation) -> None:
    """Drop the pending turn; a new question that failed to be stored stays as unsent."""
    turn = pending_turns().pop(conversation.id, None)
    is_new = turn is not None and not (turn.question_id or turn.started)
    if turn and is_new and turn.jobs[0].answer.error:
        unsent_questions().append((conversation.id, turn.question))


def unsent_questions() -> list[tuple[str | None, str]]:
    """Return this tab's questions that could not be stored, each with its conversation ID."""
    questions: list[tuple[str | None, str]] = state.setdefault(UNSENT_KEY, [])
    return questions


def _has_unfinished_answer() -> bool:
    conversation = current_conversation()
    messages = conversation.messages if conversation else []
    return any(message.state == "writing" for message in messages)
