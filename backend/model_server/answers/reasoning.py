"""Separate what a model reasons from what it answers, in whatever form a server sends both."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from backend.json_values import as_dict, as_str

# Fields of a message with reasoning: DeepSeek, llama.cpp and others; OpenRouter, Groq and newer
# vLLM; Ollama and Anthropic; Copilot; OpenRouter's and LiteLLM's details. Of several, all have the
# same text.
REASONING_FIELDS = (
    "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details",
    "thinking_blocks",
)  # fmt: skip
_TEXT_KEYS = ("text", "thinking", "reasoning", "content", "summary", "refusal")

# The tags of DeepSeek, Qwen and most others; of EXAONE (thought), Seed-OSS and LongCat; of models
# tuned to reason as in the R1 paper (reasoning).
_NAMES = "think|thinking|thought|thoughts|reason|reasoning|seed:think|longcat_think"
# What begins reasoning at the start of an answer, and what ends it.
_TAGS = {f"<{name}>": f"</{name}>" for name in _NAMES.split("|")} | {
    "[THINK]": "[/THINK]",  # Mistral
    "◁think▷": "◁/think▷",  # Kimi
    "<|START_THINKING|>": "<|END_THINKING|>",  # Cohere
    "<|begin_of_thought|>": "<|end_of_thought|>",  # Sky-T1
    "<|inner_prefix|>": "<|inner_suffix|>",  # Apertus
    "<|channel>thought\n": "<channel|>",  # Gemma 4
    "<|channel|>analysis<|message|>": "<|end|>",  # gpt-oss
}
# What gpt-oss writes before its answer, and before each other message.
_HEADERS = ("<|start|>assistant", "<|channel|>final<|message|>", "<|channel|>commentary<|message|>")
# A chat template may already have written what begins the reasoning. XML uses the other tags, too.
_LONE_CLOSING_TAGS = [tag for tag in _TAGS.values() if tag not in ("</reason>", "<|end|>")]
_START_TAGS = (*_TAGS, *_HEADERS, *_LONE_CLOSING_TAGS)
_LONE_CLOSING = re.compile("|".join(map(re.escape, _LONE_CLOSING_TAGS)), re.IGNORECASE)
_OPENING = re.compile("|".join(map(re.escape, _TAGS)), re.IGNORECASE)
_TAG_START = re.compile("[<[◁]")
# `<think type="deep">`, and what may be the beginning of it.
_ATTRIBUTED = re.compile(
    rf"<({_NAMES})(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*>", re.IGNORECASE
)
_MAYBE_ATTRIBUTED = re.compile(rf"<(?:{_NAMES})\s[^<>]{{0,200}}\Z", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]{0,3}(?:```|~~~)", re.MULTILINE)
_ESCAPED = re.compile(r"\\.", re.DOTALL)
MAX_HELD_WHITESPACE = 1000
MAX_REASONING_CHARACTERS = 1_000_000  # of text without a tag that turn out to be reasoning
MAX_REJECTED_TAGS = 16  # each is looked for in all of the text


class Separated(NamedTuple):
    """What is new. If there is `moved`, all text before was that reasoning."""

    text: str = ""
    reasoning: str = ""
    moved: str | None = None


class Part(NamedTuple):
    """A part of what a message holds; tags in its text are not read yet."""

    kind: Literal["text", "reasoning", "refusal"]
    text: str


def parts_of(message: dict[str, Any]) -> Iterator[Part]:
    """Yield what a message, or the delta of one, holds, in order."""
    reasoning = (_text_of(message.get(field)) for field in REASONING_FIELDS)
    if text := next(filter(None, reasoning), ""):
        yield Part("reasoning", text)
    content = message.get("content")
    for block in content if isinstance(content, list) else [content]:
        if text := _text_of(block):
            yield Part(part_kind(as_dict(block)), text)
    if refusal := as_str(message.get("refusal")):
        yield Part("refusal", refusal)


def part_kind(block: dict[str, Any]) -> Literal["text", "reasoning", "refusal"]:
    """Return what a content part holds."""
    kind = as_str(block.get("type"))
    is_thought = block.get("thought") is True  # Gemini
    if is_thought or kind.startswith(("thinking", "thought", "reasoning", "redacted_thinking")):
        return "reasoning"
    return "refusal" if kind == "refusal" else "text"


class ReasoningReader:
    """Finds reasoning between tags in the text of one answer, which comes in pieces.

    Only at the start of an answer: further on, tags are what the answer is about. What may be the
    beginning of a tag is held back until the rest of it comes.
    """

    def __init__(self, prefix: str = "") -> None:
        """Read what follows `prefix`, the beginning of an answer that is continued."""
        self._held = ""
        self._closing: str | None = None  # the tag that ends the reasoning that has begun
        self._has_text = False  # that is not reasoning
        self._drops_whitespace = False  # a tag was before it
        # The text so far, in which a closing tag may still come: None if that is not looked for.
        self._text: list[str] | None = []
        self._characters = 0  # of this text
        self._rejected_tags = 0
        if prefix:
            self.add(prefix)
            self._text = None if self._has_text else self._text
            self._held = ""

    def add(self, text: str) -> Separated:
        """Return what is certain of the text so far and was not returned yet."""
        data, self._held = self._held + text, ""
        texts, reasoning, moved = "", "", None
        while data:
            if self._closing:
                more, data = self._read_reasoning(data, self._closing)
                reasoning += more
            elif not self._has_text:
                data = self._read_start(data)
            else:
                more, data, was_reasoning = self._read_text(data)
                texts += more
                if was_reasoning is not None:
                    texts, moved = "", was_reasoning
        return Separated(texts, reasoning, moved)

    def pending(self) -> Separated:
        """Return what is held back, as it is if the answer ends here."""
        if self._closing:
            return Separated(reasoning=self._held.rstrip())
        return Separated("" if self._drops_whitespace and not self._held.strip() else self._held)

    def _read_start(self, data: str) -> str:
        """Find out how the answer begins; return what is to be read next."""
        begin = data.lstrip()
        if self._drops_whitespace:
            data = begin
        if not begin and len(data) <= MAX_HELD_WHITESPACE:
            return self._hold(data)
        for tag in _START_TAGS:
            if _starts_with(begin, tag):
                self._closing, self._drops_whitespace = _TAGS.get(tag), True
                self._text = None
                return begin[len(tag) :]
        if opening := _ATTRIBUTED.match(begin):
            self._closing, self._drops_whitespace = _TAGS[f"<{opening[1].lower()}>"], True
            self._text = None
            return begin[opening.end() :]
        is_cut = any(_starts_with(tag, begin) for tag in _START_TAGS)
        if begin and (is_cut or _MAYBE_ATTRIBUTED.match(begin)):
            return self._hold(data)
        self._has_text = True
        return data

    def _read_reasoning(self, data: str, closing: str) -> tuple[str, str]:
        """Return reasoning, and what follows its end if that is there."""
        if self._drops_whitespace:
            data = data.lstrip()
        if end := re.search(re.escape(closing), data, re.IGNORECASE):
            self._closing, self._drops_whitespace = None, True
            return data[: end.start()].rstrip(), data[end.end() :]
        certain = data[: len(data) - _cut_length(data, (closing,))].rstrip()
        if len(data) - len(certain) > MAX_HELD_WHITESPACE:
            certain = data
        self._drops_whitespace &= not certain
        self._held = data[len(certain) :]
        return certain, ""

    def _read_text(self, data: str) -> tuple[str, str, str | None]:
        """Return text, what is to be read next, and the text so far if that was reasoning."""
        self._drops_whitespace = False
        if self._text is None:
            return data, "", None
        tag = _LONE_CLOSING.search(data)
        if tag is None:
            end = len(data) - _cut_length(data, _LONE_CLOSING_TAGS)
            self._held = data[end:]
            self._text.append(data[:end])
            self._characters += end + 1
            if self._characters > MAX_REASONING_CHARACTERS:
                self._text = None
            return data[:end], "", None
        before = "".join(self._text) + data[: tag.start()]
        if _ends_reasoning(before, self._rejected_tags):
            self._has_text, self._drops_whitespace, self._text = False, True, None
            return "", data[tag.end() :], before.strip()
        self._rejected_tags += 1
        self._text.append(data[: tag.end()])
        if self._rejected_tags == MAX_REJECTED_TAGS:
            self._text = None
        return data[: tag.end()], data[tag.end() :], None

    def _hold(self, data: str) -> str:
        self._held = data
        return ""


def may_have_tags(text: str) -> bool:
    """Return False if the text has nothing that all tags begin with."""
    return _TAG_START.search(text) is not None


def separate(content: str) -> tuple[str, str]:
    """Return the text and the reasoning in the content of a whole message."""
    if not may_have_tags(content):
        return content, ""
    reader = ReasoningReader()
    certain, pending = reader.add(content), reader.pending()
    reasoning = (certain.moved or "") + certain.reasoning + pending.reasoning
    return certain.text + pending.text, reasoning


def _text_of(value: object) -> str:
    """Return the text of a field, a content part, or a list of these."""
    if isinstance(value, list):
        return "".join(map(_text_of, value))
    if isinstance(value, dict):
        return next(filter(None, (_text_of(value.get(key)) for key in _TEXT_KEYS)), "")
    return as_str(value)


def _starts_with(text: str, tag: str) -> bool:
    """Return True if the text starts with a tag. Tags in brackets have one spelling."""
    head = text[: len(tag)]
    return head == tag or (tag[0] == "<" and head.lower() == tag.lower())


def _cut_length(text: str, tags: Sequence[str]) -> int:
    """Return how many characters at the end of the text may be the beginning of a tag."""
    longest = max(map(len, tags)) - 1
    return next(
        (
            length
            for length in range(min(longest, len(text)), 0, -1)
            if text[-length] in "<[◁"
            and any(tag.lower().startswith(text[-length:].lower()) for tag in tags)
        ),
        0,
    )


def _ends_reasoning(before: str, rejected_tags: int) -> bool:
    """Return True if a closing tag ends reasoning, and is not what an answer is about."""
    if len(_OPENING.findall(before)) > rejected_tags or _is_in_json_string(before):
        return False
    line = before[before.rfind("\n") + 1 :]
    is_in_code = len(_FENCE.findall(before)) % 2 or line.count("`") % 2
    return not is_in_code


def _is_in_json_string(text: str) -> bool:
    is_json = text.lstrip().startswith(("{", "["))
    return is_json and bool(_ESCAPED.sub("", text).count('"') % 2)
