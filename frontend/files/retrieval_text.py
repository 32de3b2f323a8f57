"""What is said about an answer from files: what was read, how, and how far it can be relied on."""

from api.chat_chunk import Retrieval
from files.file_text import count_text, short_name

_MAX_NAMES = 2
STRATEGIES = {
    "quotes": "Quoted word for word, picked without the model",
    "passages": "Answered by the model from these passages",
    "whole": "Answered by the model, which was given all of the text",
    "summarise": "Summarized by the model, part by part",
    "mentions": "Found in the text without the model",
    "count": "Counted in the text without the model",
    "first": "Taken from the start of the text without the model",
    "last": "Taken from the end of the text without the model",
}
MODEL_STRATEGIES = ("passages", "whole", "summarise")
TASKS = {
    "summarise": "Summarize",
    "mentions": "List mentions",
    "count": "Count",
    "first": "First sentences",
    "last": "Last sentences",
}


def coverage(retrieval: Retrieval) -> str:
    """Return how much of which files was read, and how the answer came about."""
    parts = [_read(retrieval)]
    if retrieval.found and (strategy := STRATEGIES.get(retrieval.strategy or "")):
        parts.append(strategy)
    return " · ".join(part for part in parts if part)


def unread(retrieval: Retrieval) -> str:
    """Return which files the answer could not take into account, if any."""
    if not retrieval.unread:
        return ""
    names = [
        f"{short_name(file.filename)} ({'failed' if file.status == 'failed' else 'being read'})"
        for file in retrieval.unread
    ]
    return f"Not searched: {', '.join(names)}"


def reliability(retrieval: Retrieval) -> str:
    """Return how far a model's answer is backed by the files; other answers are quotes."""
    if retrieval.strategy not in MODEL_STRATEGIES or not retrieval.found:
        return ""
    text = "Written by the model, not verified."
    if retrieval.sentences and retrieval.supported is not None:
        text += (
            f" {retrieval.supported:,} of {count_text(retrieval.sentences, 'sentence')} have a "
            "similar passage in the files, which is no proof."
        )
    return text


def task_label(task: str, phrase: str | None, n: int | None) -> str:
    """Return what a task does, as the message that asks for it."""
    if task == "mentions":
        return f"List all mentions of “{phrase}”" if phrase else "List all mentions"
    if task == "count":
        return f"Count the mentions of “{phrase}”" if phrase else "Count the mentions"
    if task in ("first", "last"):
        return f"The {task} {count_text(n, 'sentence') if n else 'sentences'} of the text"
    return "Summarize the text"


def _read(retrieval: Retrieval) -> str:
    if retrieval.read is None or retrieval.of is None:
        return ""
    if retrieval.read >= retrieval.of:
        share = f"all {retrieval.of:,} passages" if retrieval.of > 1 else "all"
        return f"Read {share} of {_names(retrieval)}"
    return f"Read {retrieval.read:,} of {retrieval.of:,} passages from {_names(retrieval)}"


def _names(retrieval: Retrieval) -> str:
    passages = retrieval.passages or []
    names = list(dict.fromkeys(short_name(each.filename) for each in passages))
    count = retrieval.files or len(names)
    if not names:
        return count_text(count, "file")
    shown = names[:_MAX_NAMES]
    hidden = max(count, len(names)) - len(shown)
    text = ", ".join(shown)
    return f"{text} and {count_text(hidden, 'other file')}" if hidden > 0 else text
