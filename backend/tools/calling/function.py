"""A function that a model may call, and the words by which a question is compared with it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.json_values import as_dict, as_str
from backend.tools.calling.words import stems

MAX_NAME_CHARACTERS = 200
# A request may have 128 functions with texts of megabytes, which all share this.
MAX_TEXT_CHARACTERS = 150_000
MAX_FUNCTION_CHARACTERS = 6_000
MAX_PARAMETERS = 200
MAX_PARAMETER_DEPTH = 4
MAX_ENUM_VALUES = 50


@dataclass(frozen=True)
class FunctionSpec:
    """A function as the client or the registry declares it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)  # a JSON Schema
    # What in a question asks for the function although it shares no word with the description.
    cues: tuple[re.Pattern[str], ...] = ()

    def has_cue(self, question: str) -> bool:
        return any(cue.search(question) for cue in self.cues)


@dataclass(frozen=True)
class FunctionWords:
    """The stems of a function's texts, each text by its weight for finding the function."""

    name: tuple[str, ...]
    description: tuple[str, ...]
    parameters: tuple[str, ...]


def read_words(functions: Sequence[FunctionSpec]) -> list[FunctionWords]:
    """Return the words of each function, of at most MAX_TEXT_CHARACTERS in all."""
    characters = min(MAX_FUNCTION_CHARACTERS, MAX_TEXT_CHARACTERS // max(1, len(functions)))
    return [_read_words(function, characters) for function in functions]


def _read_words(function: FunctionSpec, characters: int) -> FunctionWords:
    description = function.description[: characters // 2]
    texts: list[str] = []
    left = characters - len(description)
    for text in _parameter_texts(function.parameters, [MAX_PARAMETERS]):
        if left <= 0:
            break
        texts.append(text[:left])
        left -= len(texts[-1])
    return FunctionWords(
        tuple(stems(function.name[:MAX_NAME_CHARACTERS])),
        tuple(stems(description)),
        tuple(stems(" ".join(texts))),
    )


def _parameter_texts(schema: Any, left: list[int], depth: int = 0) -> Iterator[str]:
    """Yield the names, descriptions and values of parameters, while some are `left`."""
    properties = as_dict(as_dict(schema).get("properties"))
    if depth > MAX_PARAMETER_DEPTH:
        return
    for name, parameter in properties.items():
        left[0] -= 1
        if left[0] < 0:
            return
        yield str(name)
        yield as_str(as_dict(parameter).get("description"))
        values = as_dict(parameter).get("enum")
        for value in values[:MAX_ENUM_VALUES] if isinstance(values, list) else ():
            yield str(value)[:MAX_NAME_CHARACTERS]
        yield from _parameter_texts(parameter, left, depth + 1)
        yield from _parameter_texts(as_dict(parameter).get("items"), left, depth + 1)
