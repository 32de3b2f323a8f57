"""Shortens what a model server says to a plain sentence that a client may read.

A server's text may hold its log, its paths and addresses, and the timings of other users' requests.
"""

import re

MAX_CHARACTERS = 300
_MAX_READ_CHARACTERS = 2000
# A text with any of this is a log, a page, or an exception with its stack.
_LOG = re.compile(
    r"(?<!\d)\d+\.\d\d\.\d{3}\.\d{3}|\b(?:slot|srv|cmn|que) +[\w()]{1,40}:|<[A-Za-z/!?]"
    r"|\b(?:llama|ggml|gguf|clip)_\w{1,60}[: ]|Traceback \(|\n\s+at |GGML_ASSERT|\b0x[0-9a-fA-F]{6}"
)
# A sentence with any of this names a path, an address or a key.
_PRIVATE = re.compile(
    r"\w://|(?<![\w)])[~.]{0,2}/[\w.~]|/[\w.@-]{1,80}/|/[\w-]{1,80}\.[A-Za-z]|\w:\\|\\\\\w"
    r"|[\w\]]:\d{2}|\b\d{1,3}(?:\.\d{1,3}){3}\b|\blocalhost\b"
    r"|\w\.(?:gguf|safetensors|bin|py|pyc|cpp|cu|cuh|go|js|so|dll|log|sock)\b"
    r"|\w\.(?:com|net|org|io|ai|dev|app|cloud|internal|local|lan|corp)\b"
    r"|\.(?:prod|svc|home|intranet|example)\b|\bip(?:-\d{1,3}){4}\b|\w@\w"
    r"|\b(?:sk|gsk)[-_][\w-]{8}|\b(?:hf|key|token)[-_](?=[\w-]{0,40}\d)[\w-]{8}|\bBearer \w"
    r"|\b(?:password|passwd|secret)[=:]|(?<![\w-])(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{20}"
    r"|\b(?:AIza|eyJ)[\w-]{8}"
)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
_NOISE = re.compile(
    r"\[json\.exception\.[\w.]+\] |^.*?(?=JSON schema error)|; tools = \[$"
    r"|^(?:(?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception)(?:: | - |$))+"
    r"|\bValue error, "
    r"|registry\.ollama\.ai/(?:library/)?"
    r"|(?: (?:in|for) (?:organization|project))? [`'\"]?(?:org|proj|req)[-_]\w{6,64}[`'\"]?"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;]) +")
_WORD = re.compile(r"[^\W\d_]{2}")


def plain_sentence(text: str) -> str:
    """Return the first line of `text` without what is private, or "" if no sentence remains."""
    text = _INVISIBLE.sub("", text[: 2 * _MAX_READ_CHARACTERS]).strip()
    first_line = text[:_MAX_READ_CHARACTERS].partition("\n")[0]
    first_line = " ".join(_NOISE.sub("", first_line).split())
    if not first_line.isprintable() or _LOG.search(text):
        return ""
    sentences = _SENTENCE_END.split(first_line)
    plain = " ".join(sentence for sentence in sentences if not _PRIVATE.search(sentence))
    return plain.rstrip(" .,:;!-") if _WORD.search(plain) else ""


def join_sentences(texts: list[str]) -> str:
    """Return several reasons as one sentence of at most 300 characters, without its full stop."""
    joined = "; ".join(dict.fromkeys(filter(None, map(plain_sentence, texts))))
    if len(joined) <= MAX_CHARACTERS:
        return joined
    return joined[: MAX_CHARACTERS - 1].rstrip(" .,:;-") + "…"
