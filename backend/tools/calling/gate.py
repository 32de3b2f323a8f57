"""Decide whether a question needs a function, by the words and parameters of the function.

A small model cannot decide it: asked whether it needs a tool, it answers at random. The score is a
logistic regression over the features in `_features`, each from 0 to about 1.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from backend.json_values import as_dict
from backend.tools.calling.function import FunctionSpec, FunctionWords
from backend.tools.calling.words import fold, split_words, stem, stems, total_rarity

PASS_SCORE = 0.5
CUE_SCORE = 1.0
_INTERCEPT = -1.05
# In the order of `_features`.
_COEFFICIENTS = (2.7, 2.06, 1.96, -1.91, -0.53)

MAX_MISSING = 2.0
_NUMBER_TYPES = frozenset({"integer", "number"})
_NUMBER_WORDS = frozenset(
    """
    a an one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty fifty
    hundred thousand million half double single pair couple dozen both first second third next last
    another
    """.split()  # noqa: SIM905
)
_PROPER_NAME = re.compile(r"(?<![.?!]\s)(?<!^)\b[^\W\d_a-z][\w'-]+")
_QUOTED = re.compile(r"""(?<!\w)["'\u2018\u201c]([^"'\u2018-\u201d]{1,80})["'\u2019\u201d]""")


def gate_score(question: str, function: FunctionSpec, words: FunctionWords) -> float:
    """Return the probability that a question needs a function."""
    if function.has_cue(question):
        return CUE_SCORE
    features = _features(question, function, words)
    return _sigmoid(_INTERCEPT + sum(a * b for a, b in zip(_COEFFICIENTS, features, strict=True)))


def _features(question: str, function: FunctionSpec, words: FunctionWords) -> Sequence[float]:
    name, head = frozenset(words.name), frozenset(words.name + words.description)
    known = head | frozenset(words.parameters)
    all_stems = frozenset(stems(question))
    values = _value_stems(question) - known  # which stand for arguments
    return (
        _share(head, all_stems),
        _share(name, all_stems),
        _share(all_stems - values, known),
        _missing_numbers(question, function.parameters),
        _missing_texts(function.parameters, len(values)),
    )


def _share(word_stems: frozenset[str], others: frozenset[str]) -> float:
    """Return the share of stems that are among others, weighted by their rarity."""
    return total_rarity(word_stems & others) / (total_rarity(word_stems) or 1.0)


def _value_stems(question: str) -> frozenset[str]:
    """Return the words that are names or quoted."""
    names = [fold(name) for name in _PROPER_NAME.findall(question)]
    quoted = " ".join(_QUOTED.findall(question))
    return frozenset([*map(stem, names), *stems(quoted)])


def _missing_numbers(question: str, parameters: Any) -> float:
    """Return how many of the numbers that a function requires the question does not have."""
    words = split_words(question)
    count = sum(word[0].isdigit() for word in words)
    count += 0.5 * sum(word in _NUMBER_WORDS for word in words)  # type: ignore[assignment]
    return min(MAX_MISSING, max(0.0, _required_count(parameters, _NUMBER_TYPES) - count))


def _missing_texts(parameters: Any, value_count: int) -> float:
    return max(0.0, _required_count(parameters, frozenset({"string"})) - value_count)


def _required_count(parameters: Any, types: frozenset[str]) -> int:
    """Return the number of required parameters of a type that may have any value."""
    properties = as_dict(as_dict(parameters).get("properties"))
    required = as_dict(parameters).get("required")
    schemas = [as_dict(properties.get(name)) for name in _names(required)]
    return sum(_type(schema) in types and "enum" not in schema for schema in schemas)


def _names(required: Any) -> list[str]:
    return (
        [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    )


def _type(schema: dict[str, Any]) -> str | None:
    type_name = schema.get("type")
    return type_name if isinstance(type_name, str) else None


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))
