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
from chat.request import Settings, stored, summary_request, to_request
from chat.session import (
    COMPARED,
    GONE,
    LEFT_OUT,
    PROBLEM,
    Asked,
    asked,
    asked_anywhere,
    conversations,
    opened,
    opened_id,
    put_aside,
    reread,
    show,
    unsent,
)
from chat.stream_job import AnswerJob
from components.service_status import api, service
from controls import model_picker, parameter_panel

SYSTEM = "chat_system"
ANSWERS = "chat_answers"
POLL_SECONDS = 0.02
# SmolLM2 answers worse under the prompt that its own template puts in when there is none.
SYSTEM_PROMPT = "You are a helpful assistant."

state = st.session_state
Arguments = ParamSpec("Arguments")


def reported(action: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Have the page tell what went wrong, instead of failing."""

    @wraps(action)
    def act(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        state.pop(PROBLEM, None)
        try:
            action(*args, **kwargs)
        except ApiError as error:
            state[PROBLEM] = error

    return act


def settings() -> Settings:
    """Give what is chosen in the sidebar."""
    return Settings(
        system=(state.get(SYSTEM) or "").strip(),
        model=model_picker.chosen(),
        parameters=parameter_panel.chosen(),
        wants_logprobs=parameter_panel.wants_logprobs(),
    )


@reported
def ask(question: str) -> None:
    """Ask something new at the end of the thread."""
    if not (text := question.strip()):
        return
    entry = (opened_id(), text)
    unsent().append(entry)  # stays on the page until it can be kept
    if is_answering():
        raise ApiError("An answer is being written in this chat.", "Ask again once it has ended.")
    try:
        conversation = _begun()
    except ApiError as error:
        if error.code == GONE:  # it was deleted elsewhere: the question may begin a new one
            show(None)
            unsent()[unsent().index(entry)] = (None, text)
        raise
    unsent().remove(entry)
    put_aside(conversation)
    _start(Asked(conversation, text, conversation.current))


@reported
def ask_again(question_id: str) -> None:
    """Have a question answered once more, beside the answers that it has."""
    conversation = _ready_to_ask()
    question = _thread_to(conversation, question_id)[-1]
    _start(Asked(conversation, question.content, question.parent, question_id))


@reported
def ask_instead(message_id: str, question: str) -> None:
    """Ask an edited question in the place of an earlier one, which stays beside it."""
    conversation = _ready_to_ask()
    state.pop("chat_editing", None)
    old = _thread_to(conversation, message_id)[-1]
    if question.strip():
        _start(Asked(conversation, question.strip(), old.parent))


@reported
def go_on(answer_id: str) -> None:
    """Have an answer that was cut written on."""
    conversation = _ready_to_ask()
    *above, cut = _thread_to(conversation, answer_id)
    question = above[-1]
    again = Asked(conversation, question.content, question.parent, question.id)
    _start(again, begun=cut.content)


@reported
def retry() -> None:
    """Ask again what could not be asked."""
    if (failed := asked()) is None:
        return
    if failed.question_id:
        ask_again(failed.question_id)
        return
    try:
        reread()
    except ApiError as error:
        if error.code != GONE:
            raise
        show(None)
    conversation = opened()
    asked_anywhere().pop(failed.conversation.id, None)
    if conversation is None:  # it was deleted elsewhere: the question begins a new one
        ask(failed.question)
        return
    if conversation.current != failed.conversation.current:
        return  # it had been kept after all, and is shown with what became of it
    _start(Asked(_begun(), failed.question, failed.parent))


def try_again(entry: tuple[str | None, str] | None) -> None:
    """Ask what could not be asked, or let go of what could not be done."""
    service.clear()
    discard(entry)
    if entry:
        ask(entry[1])


def discard(entry: tuple[str | None, str] | None) -> None:
    state.pop(PROBLEM, None)
    if entry in unsent():
        unsent().remove(entry)


@reported
def look() -> None:
    """See what others have done in this chat."""
    reread()


def stop() -> None:
    if question := asked():
        question.stop()


@reported
def keep(message: Message) -> None:
    """Go on from a message, by the newest that follow it."""
    conversation = _ready()
    end = {"current": conversation.end_below(message)}
    state.setdefault(COMPARED, set()).discard(message.parent)
    show(conversations().change(conversation.id, end))


@reported
def delete(message_id: str) -> None:
    """Delete a message and all that follows it."""
    conversation = _ready()
    conversations().delete_message(conversation.id, message_id)
    reread()


@reported
def leave_out_oldest() -> None:
    """Send the model only the newest half of what it is sent from now on."""
    conversation = _ready()
    sent = conversation.sent_part(conversation.thread())
    newest = [message.id for message in sent[len(sent) // 2 :] if message.role == "user"]
    if not newest or newest[0] == sent[0].id:
        raise ApiError("There is nothing older to leave out.", "Begin a new chat with a summary.")
    show(conversations().change(conversation.id, {"sent_from": newest[0]}))
    state[LEFT_OUT] = sent[-1].id


@reported
def send_all() -> None:
    """Send the model the whole thread again."""
    show(conversations().change(_ready().id, {"sent_from": None}))
    state.pop(LEFT_OUT, None)


@reported
def summarise() -> None:
    """Begin a new chat with a summary of this one, which the model writes."""
    conversation = _ready()
    thread = conversation.thread()
    wanted = settings().kept() | {"title": f"After: {conversation.title}"[:200]}
    show(conversations().create(wanted))
    ask(summary_request(thread))


def new_chat() -> None:
    for key in (PROBLEM, "chat_editing"):
        state.pop(key, None)
    show(None)
    state[SYSTEM] = SYSTEM_PROMPT


@reported
def open_chat(conversation_id: str) -> None:
    state.pop("chat_editing", None)
    take_settings(conversations().read(conversation_id))


def take_settings(conversation: Conversation) -> None:
    """Open a conversation with what it was last asked with."""
    show(conversation)
    state[SYSTEM] = conversation.system_prompt or ""
    model_picker.choose(conversation.model)
    parameter_panel.choose(conversation.parameters or {})


def is_answering() -> bool:
    question = asked()
    return question is not None and not question.is_over


def _ready() -> Conversation:
    """Give the open conversation, in which nothing is going on."""
    stop()
    if (conversation := opened()) is None:
        raise ApiError("This chat is not open any more.", "Choose it in the list.")
    put_aside(conversation)
    return conversation


def _ready_to_ask() -> Conversation:
    _ready()
    return _begun()


def _begun() -> Conversation:
    """Give the open conversation as it is now, or a new one, with the settings of now."""
    wanted, here = settings().kept(), opened_id()
    kept = conversations()
    conversation = kept.change(here, wanted) if here else kept.create(wanted)
    show(conversation)
    return conversation


def _start(question: Asked, *, begun: str = "") -> None:
    """Have a question answered; `begun` is the start of an answer that is to go on."""
    client = api()
    new = "" if question.question_id else question.question
    sent = question.conversation.sent_part(question.thread())
    body = to_request(sent, new, settings(), begun=begun)
    id_, seconds = question.conversation.id, client.settings.forsaken_seconds
    kept = body | stored(id_, question.follows)
    first = AnswerJob(lambda: client.chat(kept), forsaken_seconds=seconds, begun=begun)
    question.jobs.append(first)
    others = 1 if begun else int(state.get(ANSWERS) or 1)
    for number in range(1, others):
        beside = partial(_beside, first, _with_seed(body, number), id_)
        question.jobs.append(AnswerJob(beside, forsaken_seconds=seconds))
    asked_anywhere()[id_] = question


async def _beside(
    first: AnswerJob, body: dict[str, Any], conversation: str
) -> AsyncGenerator[Chunk]:
    """Ask for another answer to a question, as soon as it is known where that is kept."""
    while first.answer.stored is None:
        if first.answer.is_over:
            raise first.answer.error or ApiError("The question could not be kept.", "Try again.")
        await asyncio.sleep(POLL_SECONDS)
    question = first.answer.stored.user_message
    async for chunk in api().chat(body | stored(conversation, question)):
        yield chunk


def _with_seed(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Draw another answer than the first also where a seed was chosen."""
    seed = body.get("seed", -1)
    drawn = random.randrange(2**31) if seed == -1 else (seed + number) % 2**32  # noqa: S311
    return body | {"seed": drawn}


def _thread_to(conversation: Conversation, message_id: str) -> list[Message]:
    thread = conversation.thread_to(message_id)
    if not thread:
        raise ApiError("This message is not there any more.", "Open the chat again.")
    return thread
