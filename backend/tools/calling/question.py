"""Read the last question of a chat, which the calls have to answer."""

import re
from dataclasses import dataclass
from typing import Any

from backend.json_values import as_str, content_text

MAX_QUESTION_CHARACTERS = 20_000
MAX_FOLLOW_UP_WORDS = 8
_FOLLOW_UP = re.compile(
    r"(and|what about|how about|or|also|now|then|same|again|instead|but)\b(?! (is|are|do|does)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """The last user message, and whether it already has results of calls."""

    text: str
    has_results: bool


def read_question(messages: list[dict[str, Any]]) -> Question:
    """Return the last question; a short follow-up is prefixed with the previous one."""
    last_role = as_str(messages[-1].get("role")) if messages else ""
    texts = [
        content_text(message.get("content"))[:MAX_QUESTION_CHARACTERS].strip()
        for message in messages
        if message.get("role") == "user"
    ]
    text = texts[-1] if texts else ""
    if len(texts) > 1 and _is_follow_up(text):
        text = f"{texts[-2]}\n{text}"
    return Question(text, last_role in ("tool", "function"))


def _is_follow_up(text: str) -> bool:
    return len(text.split()) <= MAX_FOLLOW_UP_WORDS and _FOLLOW_UP.match(text) is not None
