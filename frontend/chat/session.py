"""The conversation that is open in this tab, and the questions that are being answered in any."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st

from api.conversation import Conversation, Message
from api.conversations import ConversationsClient
from api.errors import ApiError
from chat.stream_job import AnswerStreamJob
from components.service_status import api

NOT_FOUND_CODE = "conversation_not_found"
STORE_TIMEOUT_SECONDS = 1.0  # how long the API may take to note how an answer ended

COMPARED_KEY = "chat_compared"  # questions whose answers are shown side by side
TRUNCATED_KEY = "chat_left_out"  # the answer after which the oldest was left out
ERROR_KEY = "chat_problem"
UNSENT_KEY = "chat_unsent"

state = st.session_state


@dataclass
class PendingTurn:
    """A question on its way to its answers; `parent` is what it follows.

    Where it was asked before, `question_id` is the message that is answered once more.
    """

    conversation: Conversation
    question: str
    parent: str | None
    question_id: str | None = None
    jobs: list[AnswerStreamJob] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return all(job.answer.is_over for job in self.jobs)

    def stop(self) -> None:
        for job in self.jobs:
            job.stop()

    @property
    def parent_id(self) -> str | None:
        """The parent that a request names: the question where it is kept, else what it follows."""
        return self.question_id or self.parent

    def branch(self) -> list[Message]:
        """Give what stands above its answers, or above the question where that is new."""
        return self.conversation.branch_to(self.parent_id)


@st.cache_resource(show_spinner=False)
def pending_turns() -> dict[str, PendingTurn]:
    """Give the questions of this process by conversation: a page that is reloaded finds its own."""
    return {}


@st.cache_resource(show_spinner=False)
def conversations() -> ConversationsClient:
    return ConversationsClient(api())


def current_conversation() -> Conversation | None:
    """Give the conversation that is open, as it was last seen."""
    found: Conversation | None = state.get("chat_conversation")
    return found


def current_conversation_id() -> str | None:
    conversation = current_conversation()
    return conversation.id if conversation else None


def pending_turn() -> PendingTurn | None:
    """Give the question of the open conversation that is being answered, or could not be."""
    conversation = current_conversation()
    return pending_turns().get(conversation.id) if conversation else None


def open_conversation(conversation: Conversation | None) -> None:
    """Open a conversation, or a new one, here and in the page's address."""
    state.chat_conversation = conversation
    if conversation:
        st.query_params["chat"] = conversation.id
    else:
        st.query_params.pop("chat", None)


def sync_with_url() -> bool:
    """Open what the page's address names, as a link or a reload does; tell whether that is new.

    Raises:
        ApiError: it cannot be opened.
    """
    wanted, here = st.query_params.get("chat"), current_conversation()
    if wanted and (here is None or wanted != here.id):
        try:
            open_conversation(conversations().get(wanted))
        except ApiError as error:
            if error.code == NOT_FOUND_CODE:  # whatever else is wrong may pass
                st.query_params.pop("chat", None)
            raise
        return True
    if here and not wanted:  # another page was visited meanwhile
        st.query_params["chat"] = here.id
    return False


def refresh_conversation() -> None:
    """See the open conversation as it is now.

    Raises:
        ApiError: it cannot be read.
    """
    if conversation := current_conversation():
        state.chat_conversation = conversations().get(conversation.id)


def finish_turn() -> None:
    """Let go of a question whose answers have ended and are kept."""
    done = pending_turn()
    if done is None or not done.is_over:
        return
    until = time.monotonic() + STORE_TIMEOUT_SECONDS
    with suppress(ApiError):  # it stays as it is, and is told with its error
        refresh_conversation()
        while _has_unfinished_answer() and time.monotonic() < until:
            time.sleep(0.05)
            refresh_conversation()
        if (now := current_conversation()) and now.current != done.conversation.current:
            pending_turns().pop(now.id, None)
            if len(done.jobs) > 1 and (kept := done.jobs[0].answer.stored):
                state.setdefault(COMPARED_KEY, set()).add(kept.user_message)
            return
    first = done.jobs[0].answer
    if done.question_id and first.stored is None:  # the answers that it has are shown again
        pending_turns().pop(done.conversation.id, None)
        if first.error:
            state[ERROR_KEY] = first.error


def discard_pending_turn(conversation: Conversation) -> None:
    """Let go of what was asked, before something else is done; what is not kept stays unsent."""
    done = pending_turns().pop(conversation.id, None)
    if done and done.question_id is None and done.jobs[0].answer.error:
        unsent_questions().append((conversation.id, done.question))


def unsent_questions() -> list[tuple[str | None, str]]:
    """Give the questions of this tab that could not be kept, each with its conversation."""
    questions: list[tuple[str | None, str]] = state.setdefault(UNSENT_KEY, [])
    return questions


def _has_unfinished_answer() -> bool:
    conversation = current_conversation()
    messages = conversation.messages if conversation else []
    return any(message.state == "writing" for message in messages)
