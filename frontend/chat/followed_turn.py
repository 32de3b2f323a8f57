"""Answers that are written although this page did not ask for them, or has been away."""

from functools import partial

import streamlit as st

from api.conversation import Conversation
from chat.session import (
    ERROR_KEY,
    PendingTurn,
    current_conversation,
    pending_turn,
    pending_turns,
)
from chat.stream_job import AnswerStreamJob
from chat.thread_items import thread_items
from components.service_status import api

_MAX_SIDE_BY_SIDE = 4


def follow_answers() -> None:
    """Follow what is being written at the end of the open conversation."""
    conversation = current_conversation()
    if conversation is None or pending_turn() or ERROR_KEY in st.session_state:
        return
    if (turn := _followed_turn(conversation)) is not None:
        pending_turns()[conversation.id] = turn


def _followed_turn(conversation: Conversation) -> PendingTurn | None:
    items = thread_items(conversation.active_branch())
    if not items or not items[-1].is_writing or items[-1].first.parent is None:
        return None
    answer = items[-1].first
    question_id = answer.parent
    siblings = [
        each.id
        for each in conversation.siblings(answer)
        if each.state == "writing" or each.id == answer.id
    ]
    turn = PendingTurn(conversation, "", None, question_id, is_followed=True)
    for answer_id in siblings[-_MAX_SIDE_BY_SIDE:]:
        follow = partial(api().follow_answer, conversation.id, answer_id)
        turn.jobs.append(AnswerStreamJob(follow))
    return turn
