"""The conversation that is open in this tab, and the questions that are being answered in any."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st

from api.conversation import Conversation, Message
from api.conversations import ConversationsApi
from api.errors import ApiError
from chat.stream_job import AnswerJob
from components.service_status import api

GONE = "conversation_not_found"
STORED_SECONDS = 1.0  # how long the API may take to note how an answer ended

COMPARED = "chat_compared"  # questions whose answers are shown side by side
LEFT_OUT = "chat_left_out"  # the answer after which the oldest was left out
PROBLEM = "chat_problem"
UNSENT = "chat_unsent"

state = st.session_state


@dataclass
class Asked:
    """A question on its way to its answers; `parent` is what it follows.

    Where it was asked before, `question_id` is the message that is answered once more.
    """

    conversation: Conversation
    question: str
    parent: str | None
    question_id: str | None = None
    jobs: list[AnswerJob] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return all(job.answer.is_over for job in self.jobs)

    def stop(self) -> None:
        for job in self.jobs:
            job.stop()

    @property
    def follows(self) -> str | None:
        """The parent that a request names: the question where it is kept, else what it follows."""
        return self.question_id or self.parent

    def thread(self) -> list[Message]:
        """Give what stands above its answers, or above the question where that is new."""
        return self.conversation.thread_to(self.follows)


@st.cache_resource(show_spinner=False)
def asked_anywhere() -> dict[str, Asked]:
    """Give the questions of this process by conversation: a page that is reloaded finds its own."""
    return {}


@st.cache_resource(show_spinner=False)
def conversations() -> ConversationsApi:
    return ConversationsApi(api())


def opened() -> Conversation | None:
    """Give the conversation that is open, as it was last seen."""
    found: Conversation | None = state.get("chat_conversation")
    return found


def opened_id() -> str | None:
    conversation = opened()
    return conversation.id if conversation else None


def asked() -> Asked | None:
    """Give the question of the open conversation that is being answered, or could not be."""
    conversation = opened()
    return asked_anywhere().get(conversation.id) if conversation else None


def show(conversation: Conversation | None) -> None:
    """Open a conversation, or a new one, here and in the page's address."""
    state.chat_conversation = conversation
    if conversation:
        st.query_params["chat"] = conversation.id
    else:
        st.query_params.pop("chat", None)


def follow_address() -> bool:
    """Open what the page's address names, as a link or a reload does; tell whether that is new.

    Raises:
        ApiError: it cannot be opened.
    """
    wanted, here = st.query_params.get("chat"), opened()
    if wanted and (here is None or wanted != here.id):
        try:
            show(conversations().read(wanted))
        except ApiError as error:
            if error.code == GONE:  # whatever else is wrong may pass
                st.query_params.pop("chat", None)
            raise
        return True
    if here and not wanted:  # another page was visited meanwhile
        st.query_params["chat"] = here.id
    return False


def reread() -> None:
    """See the open conversation as it is now.

    Raises:
        ApiError: it cannot be read.
    """
    if conversation := opened():
        state.chat_conversation = conversations().read(conversation.id)


def settle() -> None:
    """Let go of a question whose answers have ended and are kept."""
    done = asked()
    if done is None or not done.is_over:
        return
    until = time.monotonic() + STORED_SECONDS
    with suppress(ApiError):  # it stays as it is, and is told with its error
        reread()
        while _is_being_written() and time.monotonic() < until:
            time.sleep(0.05)
            reread()
        if (now := opened()) and now.current != done.conversation.current:
            asked_anywhere().pop(now.id, None)
            if len(done.jobs) > 1 and (kept := done.jobs[0].answer.stored):
                state.setdefault(COMPARED, set()).add(kept.user_message)
            return
    first = done.jobs[0].answer
    if done.question_id and first.stored is None:  # the answers that it has are shown again
        asked_anywhere().pop(done.conversation.id, None)
        if first.error:
            state[PROBLEM] = first.error


def put_aside(conversation: Conversation) -> None:
    """Let go of what was asked, before something else is done; what is not kept stays unsent."""
    done = asked_anywhere().pop(conversation.id, None)
    if done and done.question_id is None and done.jobs[0].answer.error:
        unsent().append((conversation.id, done.question))


def unsent() -> list[tuple[str | None, str]]:
    """Give the questions of this tab that could not be kept, each with its conversation."""
    questions: list[tuple[str | None, str]] = state.setdefault(UNSENT, [])
    return questions


def _is_being_written() -> bool:
    conversation = opened()
    messages = conversation.messages if conversation else []
    return any(message.state == "writing" for message in messages)
