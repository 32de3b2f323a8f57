"""Find which properties of a schema a prompt mentions: by their names, descriptions and values."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from backend.json_schema.pruning.mention_cues import CUES, FORMATS, STOP_WORDS

NONE, WEAK, STRONG = 0, 1, 2
MAX_PROMPT_CHARACTERS = 20_000
MIN_RUN_LETTERS = 5  # of a name that is found within a longer word
MAX_DESCRIPTION_CHARACTERS = 300
MAX_VALUES = 200
_WORD = re.compile(r"[^\W_]+")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-zA-Z])(?=[0-9])")


class Mentions:
    """The words of a prompt, and which properties they mention. An empty prompt mentions none."""

    def __init__(self, prompt: str) -> None:
        self._prompt = _fold(prompt[:MAX_PROMPT_CHARACTERS])
        self._words = {_stem(word) for word in _WORD.findall(self._prompt)}
        self._words |= {_stem(word) for word in _split(prompt[:MAX_PROMPT_CHARACTERS])}
        self._words -= _STOP_STEMS
        self._run = "".join(_WORD.findall(self._prompt))

    def is_mentioned(self, name: str, schemas: Iterable[Any]) -> bool:
        return self.strength(name, schemas) == STRONG

    def strength(self, name: str, schemas: Iterable[Any]) -> int:
        """Return how sure it is that the prompt mentions a property: NONE, WEAK or STRONG."""
        if not self._words:
            return NONE
        words = [_stem(word) for word in _split(name)]
        content = [word for word in words if word not in _STOP_STEMS]
        if content and all(word in self._words for word in content):
            return STRONG
        run = "".join(_split(name))
        if content and len(run) >= MIN_RUN_LETTERS and run in self._run:
            return STRONG
        if any(self._has_cue(word) for word in words):
            return STRONG
        return max(map(self._schema_strength, schemas), default=NONE)

    def words_in(self, schema: Any) -> float:
        """Return how many of the names and values at the top of a schema the prompt has."""
        if not self._words or not isinstance(schema, dict):
            return 0
        texts = [str(schema.get("title", "")), str(schema.get("$ref", "")).rpartition("/")[2]]
        properties = schema.get("properties")
        for name, child in list(properties.items())[:50] if isinstance(properties, dict) else ():
            texts.append(name)
            if isinstance(child, dict):
                values = child.get("enum", [child.get("const", "")])
                texts += [str(value) for value in values[:5]] if isinstance(values, list) else []
        return sum(self._known_share(text) for text in texts)

    def first(self, values: list[Any], count: int) -> list[Any]:
        """Return `count` values of an enum in their order: those in the prompt, then the first."""
        mentioned = [
            value for value in values if isinstance(value, str) and self._has_phrase(value)
        ]
        chosen = {id(value) for value in [*mentioned, *values][:count]}
        return [value for value in values if id(value) in chosen]

    def _schema_strength(self, schema: Any) -> int:
        if not isinstance(schema, dict):
            return NONE
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        for value in values[:MAX_VALUES] if isinstance(values, list) else ():
            if isinstance(value, str) and len(value) > 2 and self._has_phrase(value):
                return STRONG
        if (pattern := FORMATS.get(str(schema.get("format")))) and _search(pattern, self._prompt):
            return STRONG
        strength = NONE
        for keyword in ("title", "description"):
            words = _content_stems(str(schema.get(keyword, "")))
            known = words & self._words
            if known and len(known) * 2 >= len(words):
                return STRONG
            strength = max(strength, WEAK if known else NONE)
        return strength

    def _has_cue(self, word: str) -> bool:
        pattern = _CUES_OF_STEMS.get(word)
        return pattern is not None and _search(pattern, self._prompt)

    def _has_phrase(self, value: str) -> bool:
        words = _split(value)
        if not words or not self._prompt:
            return False
        phrase = "[^a-z0-9]*".join(map(re.escape, words))
        return re.search(rf"(?<!\w){phrase}s?(?!\w)", self._prompt) is not None

    def _known_share(self, text: str) -> float:
        words = _content_stems(text)
        return len(words & self._words) / len(words) if words else 0.0


def _search(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _split(text: str) -> list[str]:
    """Split a name or a text into folded words: `dueDate`, `due_date` and `due date` are two."""
    return _WORD.findall(_fold(_CAMEL_CASE.sub(" ", text)))


def _fold(text: str) -> str:
    """Return a text without case and accents, so that `Größe` is `grosse`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _content_stems(text: str) -> set[str]:
    return {_stem(word) for word in _split(text[:MAX_DESCRIPTION_CHARACTERS])} - _STOP_STEMS


@lru_cache(maxsize=10_000)
def _stem(word: str) -> str:
    """Return a word without the endings of plurals and of verbs."""
    for ending in ("ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            stem = word[: -len(ending)]
            return stem + "y" if ending == "ies" else stem.rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


_STOP_STEMS = STOP_WORDS | {_stem(word) for word in STOP_WORDS}
_CUES_OF_STEMS = {_stem(word): cue for word, cue in CUES.items()}
