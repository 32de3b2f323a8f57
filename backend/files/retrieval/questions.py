"""Recognize questions that no few passages can answer, since they are about all of a file."""

import re
from dataclasses import dataclass
from enum import StrEnum

_UNITS = "words?|sentences?|lines?|paragraphs?|passages?|pages?|sections?|chapters?"
_TEXTS = "text|file|files|document|documents|report|paper|article|book|pdf|collection|transcript"
_MENTIONED = "mention(?:ed)?|appear|occur|used|named|say|said|cited|referenced"
_PLACES = "mentions?|occurrences?|places?|passages?"
_OF_THIS = rf"(?:of|in|for) (?:the|this|these|all|my) (?:\w+ )?(?:{_TEXTS})"
_PLEASE = r"^(?:please |(?:can|could|would) you (?:please )?)?"


class Task(StrEnum):
    """What is done with all of a file."""

    COUNT = "count"
    MENTIONS = "mentions"
    FIRST = "first"
    LAST = "last"
    SUMMARISE = "summarise"


# Precise rather than complete: a wrong alarm spoils an ordinary question, a missed one does not.
_PATTERNS = {
    Task.COUNT: (
        rf"\bhow (?:many times|often) (?:is|are|was|were|does|do|did)\b.*\b(?:{_MENTIONED})\b",
        r"\b(?:number|count) of (?:times|mentions|occurrences)\b",
        rf"{_PLEASE}count (?:the|all|every|each|how)\b",
        rf"\bhow many (?:{_UNITS}) (?:are (?:there )?in|does|do|has|have)\b.*\b(?:{_TEXTS})\b",
    ),
    Task.MENTIONS: (
        rf"{_PLEASE}(?:list|enumerate|find|show|give|name|extract) (?:me )?(?:all|every|each)\b",
        rf"\b(?:all|every) (?:{_PLACES}) (?:of|where|that|in which)\b",
        rf"{_PLEASE}(?:give|make) (?:me )?a (?:full |complete )?list of (?:all|every)\b",
    ),
    Task.FIRST: (
        rf"\bthe first (?:\w+ )?(?:{_UNITS})\b(?! (?:of (?:his|her|their|its)))",
        rf"\bhow (?:does|do|did) (?:the|this) (?:{_TEXTS}) (?:begin|start|open)\b",
    ),
    Task.LAST: (
        rf"\bthe (?:last|final) (?:\w+ )?(?:{_UNITS})\b(?! (?:of (?:his|her|their|its)))",
        rf"\bhow (?:does|do|did) (?:the|this) (?:{_TEXTS}) (?:end|close|conclude)\b",
    ),
    Task.SUMMARISE: (
        rf"{_PLEASE}(?:summari[sz]e|sum up)\b",
        rf"\b(?:summary|overview|gist|tl;?dr) {_OF_THIS}\b",
        r"^tl;?dr\b",
        rf"\bwhat (?:is|are) (?:the|this|these) (?:{_TEXTS}) about\b",
        rf"\b(?:main|key) (?:points|ideas|topics|themes) {_OF_THIS}\b",
    ),
}
_COMPILED = {
    task: re.compile("|".join(patterns), re.IGNORECASE) for task, patterns in _PATTERNS.items()
}
_QUOTED = re.compile(r"(?<!\w)[\"“„«']([^\"”“»']{1,200})[\"”“»']")
_NUMBER = re.compile(r"\b(?:first|last|final) (\d{1,4})\b", re.IGNORECASE)
_MAX_CHARACTERS = 2000  # of a question that are looked at


@dataclass(frozen=True, slots=True)
class WholeFileQuestion:
    """A question about all of a file: the phrase that it has in quotes, and how many it wants."""

    task: Task
    phrase: str | None = None
    n: int | None = None


def recognize(question: str) -> WholeFileQuestion | None:
    """Return what a question asks of all of a file, or None if it is an ordinary one."""
    question = " ".join(question[:_MAX_CHARACTERS].split())
    for task, pattern in _COMPILED.items():
        if pattern.search(question):
            number = _NUMBER.search(question)
            return WholeFileQuestion(
                task, quoted_phrase(question), int(number[1]) if number else None
            )
    return None


def quoted_phrase(question: str) -> str | None:
    """Return the first phrase that a question has in quotation marks, or None."""
    quoted = _QUOTED.search(question[:_MAX_CHARACTERS])
    return quoted[1].strip() if quoted else None
