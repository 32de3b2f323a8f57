"""Reads one attempt at an answer: what the model has written, and the JSON in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backend.completions.receipt import Receipt, UsageTracker
from backend.json_schema.json_in_text import json_candidates, parse_partial_in_text
from backend.json_schema.validator import ABSENT, ValidationResult
from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.reasoning import parts_of

# All of the text is parsed for each piece of it. A longer answer is only sent when it is complete.
MAX_PARTIAL_CHARACTERS = 200_000


@dataclass
class AttemptReader:
    """What the model has written in one attempt, and what the client has seen of it."""

    usage: UsageTracker
    _message: MessageBuilder
    receipt: Receipt | None = None
    partial: Any = ABSENT
    _content: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)  # in fields of its own
    _characters: int = 0  # of the content

    @property
    def content(self) -> str:
        """The content as the model wrote it, with the reasoning that it holds."""
        self._content = ["".join(self._content)]
        return self._content[0]

    @property
    def text(self) -> str:
        """All that the model wrote where answers are expected; its reasoning if that is all."""
        return self.content or self.answer_text

    @property
    def answer_text(self) -> str:
        """The text without reasoning.

        Some servers take all that is written under a grammar for reasoning.
        """
        text: str = self._message.message_fields()["content"]
        return text if self.content.strip() else "".join(self._reasoning)

    def add_event(self, event: dict[str, Any]) -> bool:
        """Add an event of the stream; return True if there is more text."""
        self.usage.update(event)
        self._message.add(event)
        length = self._characters
        for choice in as_dict_list(event.get("choices")):
            for kind, text in parts_of(as_dict(choice.get("delta"))):
                if kind == "reasoning":
                    self._reasoning.append(text)
                else:
                    self._content.append(text)
                    self._characters += len(text)
        extensions = as_dict(event.get("smolchat"))
        if "receipt" in extensions:
            self.receipt = Receipt.model_validate(extensions["receipt"])
        return self._characters > length

    def update_partial(self) -> bool:
        """Parse what is certain so far into `partial`; return True if that is more than before."""
        if self._characters > MAX_PARTIAL_CHARACTERS:
            return False
        partial = parse_partial_in_text(self._message.message_fields()["content"])
        if partial is ABSENT or partial == self.partial:
            return False
        self.partial = partial
        return True

    def validate(self, validate: Callable[[str], ValidationResult]) -> ValidationResult:
        """Return the first valid result of what may be the answer, or what is wrong with it.

        Only text that is not JSON is searched for some, and reasoning never is: it may hold drafts.
        """
        text = self._message.message_fields()["content"]
        results = [validate(whole) for whole in dict.fromkeys((self.content, self.answer_text))]
        if all(not result.is_json for result in results):
            results += map(validate, json_candidates(text))
        is_valid = (result for result in results if not result.errors)
        is_json = (result for result in results if result.is_json)
        return next(is_valid, None) or next(is_json, results[-1])
