"""What a user can do in the chat: the callbacks of its buttons and of the prompt."""

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec

import streamlit as st

from api.conversation import Conversation, Message
from api.errors import CONNECTION_CODES, ApiError
from chat import turns
from chat.image_actions import check_images
from chat.question import Question, as_question, images_in
from chat.request import summary_request
from chat.session import (
    COMPARED_KEY,
    EDITING_KEY,
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
from chat.turns import SYSTEM_KEY
from components.service_status import service_status
from controls import model_picker, parameter_panel
from files.attachments import Attachments, attach, attachments_in

# SmolLM2 answers worse with the system prompt that its own template inserts if there is none.
SYSTEM_PROMPT = "You are a helpful assistant."
_MAX_TITLE_CHARACTERS = 200

state = st.session_state
Arguments = ParamSpec("Arguments")


def show_errors(action: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Show an ApiError of the action on the page."""

    @wraps(action)
    def run_action(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        state.pop(ERROR_KEY, None)
        try:
            action(*args, **kwargs)
        except ApiError as error:
            show_error(error)

    return run_action


def show_error(error: ApiError) -> None:
    """Show the error on the page until it is dismissed, or the API answers again."""
    state[ERROR_KEY] = error
    if error.code in CONNECTION_CODES:
        service_status.clear()  # it is older than the error


@show_errors
def send_message(question: str, *, file_options: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Send a new question at the end of the conversation."""
    if (text := as_question(question)).is_empty:
        return
    entry = (current_conversation_id(), text)
    unsent_questions().append(entry)  # stays on the page until it is stored
    if is_answering():
        raise ApiError(
            "This chat is already generating a response.", "Wait until it ends, then send again."
        )
    check_images(text)
    try:
        conversation = turns.save_conversation()
    except ApiError as error:
        if error.code == NOT_FOUND_CODE:  # deleted in another tab: retry in a new chat
            open_conversation(None)
            unsent_questions()[unsent_questions().index(entry)] = (None, text)
        raise
    unsent_questions().remove(entry)
    discard_pending_turn(conversation)
    turn = PendingTurn(conversation, text, conversation.current, file_options=file_options)
    turns.start_turn(turn)


@show_errors
def regenerate(question_id: str) -> None:
    """Generate another answer to a question, as a sibling of its answers."""
    conversation = turns.idle_conversation_saved()
    question = turns.branch_to(conversation, question_id)[-1]
    turn = PendingTurn(conversation, question.content, question.parent, question_id)
    shown = next((m for m in conversation.active_branch() if m.parent == question_id), None)
    if shown and shown.retrieval and shown.retrieval.task:
        turn.file_options = {"task": shown.retrieval.task}
    turns.start_turn(turn)


@show_errors
def edit_and_resend(message_id: str, question: str) -> None:
    """Send an edited question as a sibling of the original."""
    conversation = turns.idle_conversation_saved()
    state.pop(EDITING_KEY, None)
    original = turns.branch_to(conversation, message_id)[-1]
    edited = Question(question.strip(), images_in(original.parts))
    if not edited.is_empty:
        turns.start_turn(PendingTurn(conversation, edited, original.parent))


@show_errors
def continue_answer(answer_id: str) -> None:
    """Continue an incomplete answer."""
    conversation = turns.idle_conversation_saved()
    *_, question, answer = turns.branch_to(conversation, answer_id)
    turn = PendingTurn(conversation, question.content, question.parent, question.id)
    turns.start_turn(turn, prefix=answer.content)


@show_errors
def retry_turn() -> None:
    """Send the question of a failed turn again."""
    if (failed := pending_turn()) is None:
        return
    if failed.started:  # the buttons of its steps start it again
        pending_turns().pop(failed.conversation.id, None)
        refresh_conversation()
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
    if conversation is None:  # deleted in another tab: send it in a new chat
        send_message(failed.question)
        return
    if conversation.current != failed.conversation.current:
        return  # the question was stored after all, and is shown with its answer
    turns.start_turn(PendingTurn(turns.save_conversation(), failed.question, failed.parent))


def retry_unsent(entry: tuple[str | None, str]) -> None:
    """Send an unsent question again."""
    service_status.clear()
    discard(entry)
    send_message(entry[1])


def retry_loading() -> None:
    """Let the page load the conversation in its URL again."""
    service_status.clear()
    dismiss_error()


def dismiss_error() -> None:
    state.pop(ERROR_KEY, None)


def discard(entry: tuple[str | None, str]) -> None:
    dismiss_error()
    if entry in unsent_questions():
        unsent_questions().remove(entry)


@show_errors
def refresh() -> None:
    refresh_conversation()


@show_errors
def select_branch(message: Message) -> None:
    """Make the branch with this message and its latest replies the active one."""
    conversation = turns.idle_conversation()
    state.setdefault(COMPARED_KEY, set()).discard(conversation.parent_question(message))
    fields = {"current": conversation.latest_leaf(message)}
    open_conversation(conversations().update(conversation.id, fields))


@show_errors
def delete(message_id: str) -> None:
    """Delete a message and everything after it."""
    conversation = turns.idle_conversation()
    conversations().delete_message(conversation.id, message_id)
    refresh_conversation()


@show_errors
def truncate_context() -> None:
    """Drop the older half of the messages from the context."""
    conversation = turns.idle_conversation()
    context = conversation.messages_in_context(conversation.active_branch())
    newer_ids = [message.id for message in context[len(context) // 2 :] if message.role == "user"]
    if not newer_ids or newer_ids[0] == context[0].id:
        raise ApiError("There are no older messages to drop.", "Start a new chat with a summary.")
    open_conversation(conversations().update(conversation.id, {"sent_from": newer_ids[0]}))
    state[TRUNCATED_KEY] = context[-1].id


@show_errors
def restore_context() -> None:
    """Send the whole branch as context again."""
    open_conversation(conversations().update(turns.idle_conversation().id, {"sent_from": None}))
    state.pop(TRUNCATED_KEY, None)


@show_errors
def start_with_summary() -> None:
    """Start a new chat with a summary of this one, which the model writes."""
    conversation = turns.idle_conversation()
    branch = conversation.active_branch()
    title = f"Continued from {conversation.title}"[:_MAX_TITLE_CHARACTERS]
    fields = turns.current_settings().conversation_fields() | {"title": title}
    open_conversation(conversations().create(fields))
    send_message(summary_request(branch))


def new_chat() -> None:
    for key in (ERROR_KEY, EDITING_KEY):
        state.pop(key, None)
    open_conversation(None)
    attach(Attachments())
    state[SYSTEM_KEY] = SYSTEM_PROMPT


@show_errors
def open_chat(conversation_id: str) -> None:
    state.pop(EDITING_KEY, None)
    load_conversation(conversations().get(conversation_id))


def load_conversation(conversation: Conversation) -> None:
    """Open a conversation and restore its settings in the sidebar."""
    open_conversation(conversation)
    state[SYSTEM_KEY] = conversation.system_prompt or ""
    model_picker.select_model(conversation.model)
    parameter_panel.set_parameters(conversation.parameters or {})
    attach(attachments_in(conversation.parameters or {}))


def is_answering() -> bool:
    turn = pending_turn()
    return turn is not None and not turn.is_over
