"""What a user can do with attached files: attach them, ask again another way, and run a task."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from api.chat_chunk import FileTask
from chat import actions, turns
from chat.actions import show_errors
from chat.image_actions import split_images
from chat.question import Question
from chat.session import PendingTurn, current_conversation_id, unsent_questions
from chat.thread_items import ThreadItem
from files.attachments import Attachments, attach, attachments
from files.library import library
from files.retrieval_text import task_label
from files.upload import upload

state = st.session_state


@show_errors
def submit(text: str, files: Sequence[UploadedFile]) -> None:
    """Attach the files that were added to a message, and send it."""
    images, files = split_images(files)
    question = Question(text.strip(), images)
    entry = (current_conversation_id(), question)
    if files:
        unsent_questions().append(entry)  # stays on the page until the files are sent
        for file in files:
            attach(attachments().with_file(upload(file.name, file).id))
        library().clear()
        unsent_questions().remove(entry)
    actions.send_message(question)


@show_errors
def let_model_answer(item: ThreadItem, question_id: str) -> None:
    """Have the model answer a question from the passages of which quotes were shown."""
    _answer_again(item, question_id, {"mode": "passages"})


@show_errors
def answer_with_task(item: ThreadItem, question_id: str, task: FileTask) -> None:
    """Answer a question from all of the text, as another version of its answer."""
    _answer_again(item, question_id, task.model_dump(exclude_none=True))


@show_errors
def run_task(task: str, phrase: str, n: int) -> None:
    """Send a message that asks for a task on all of the text of the attached files."""
    options: dict[str, Any] = {"task": task}
    options |= {"phrase": phrase} if task in ("mentions", "count") else {}
    options |= {"n": n} if task in ("first", "last") else {}
    actions.send_message(task_label(task, phrase, n), file_options=options)


def _answer_again(item: ThreadItem, question_id: str, options: dict[str, Any]) -> None:
    if not attachments():
        _attach_files_of(item)
    conversation = turns.idle_conversation_saved()
    question = turns.branch_to(conversation, question_id)[-1]
    turn = PendingTurn(conversation, question.content, question.parent, question_id)
    turn.file_options = options
    turns.start_turn(turn)


def _attach_files_of(item: ThreadItem) -> None:
    """Attach the files again that an answer was given from."""
    passages = item.answer.retrieval.passages if item.answer.retrieval else None
    attached = Attachments()
    for passage in passages or ():
        attached = attached.with_file(passage.file_id)
    attach(attached)
