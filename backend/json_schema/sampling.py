"""Random instances of narrowed schemas, and which of their parts are not valid for the original."""

import random
from collections import Counter
from collections.abc import Callable
from time import process_time
from typing import Any

from backend.json_schema.regex_parser import Node, parse
from backend.json_schema.regex_sampling import random_match

SAMPLES = 40
MAX_SECONDS = 0.1  # of processor time, as are all others
MIN_INVALID, MIN_DIFFERENCE = 0.3, 0.15  # shares of the instances with an optional part
_WORD = "word"
# As a model writes them. None is below zero, which models hardly ever write: to exclude that, a
# grammar would have to exclude all decimals.
_NUMBERS = (0, 1.5, 12, 0.25, 1e6)

Schema = dict[str, Any]
Choice = tuple[int, str | int]  # the id of a schema in the narrowed one, and what was chosen in it


class Sampler:
    """Generates instances as a model could under the grammar of a narrowed schema."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._patterns: dict[str, Node] = {}
        self.choices: set[Choice] = set()  # of the last instance
        self._of_type: dict[str, Callable[[Schema], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": lambda _schema: self._random.choice(_NUMBERS),
            "boolean": lambda _schema: self._random.random() < 0.5,
            "null": lambda _schema: None,
        }

    def instance(self, schema: Schema) -> Any:
        """Return a random instance, and keep which optional parts it has in `choices`."""
        self.choices = set()
        return self._instance(schema)

    def _instance(self, schema: Schema) -> Any:
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "anyOf" in schema:
            index = self._random.randrange(len(schema["anyOf"]))
            self.choices.add((id(schema), index))
            return self._instance(schema["anyOf"][index])
        return self._of_type[schema["type"]](schema)

    def _integer(self, schema: Schema) -> Any:
        low, high = schema["minimum"], schema["maximum"]
        return self._random.choice([low, high, self._random.randint(low, high)])

    def _object(self, schema: Schema) -> Any:
        result = {}
        required = set(schema["required"])
        for name, child in schema["properties"].items():
            if name in required or self._random.random() < 0.5:
                if name not in required:
                    self.choices.add((id(schema), name))
                result[name] = self._instance(child)
        return result

    def _array(self, schema: Schema) -> Any:
        if "prefixItems" in schema:
            return [self._instance(item) for item in schema["prefixItems"]]
        low, high = schema["minItems"], schema["maxItems"]
        number = self._random.randint(low, high)
        return [self._instance(schema["items"]) for _ in range(number)]

    def _string(self, schema: Schema) -> str:
        if "pattern" in schema:
            node = self._patterns.setdefault(schema["pattern"], parse(schema["pattern"]))
            return random_match(node, self._random)
        number = self._random.randint(schema["minLength"], schema["maxLength"])
        return (_WORD * (number // len(_WORD) + 1))[:number]


def invalid_share(schema: Schema, is_valid: Callable[[Any], bool]) -> float:
    """Return which share of random instances of a narrowed schema is not valid.

    It stops early when the time is up.
    """
    sampler, invalid, tried = Sampler(seed=1), 0, 0
    deadline = process_time() + MAX_SECONDS
    while tried < SAMPLES and (tried == 0 or process_time() < deadline):
        invalid += not is_valid(sampler.instance(schema))
        tried += 1
    return invalid / tried


def worst_choice(schema: Schema, is_valid: Callable[[Any], bool], samples: int) -> Choice | None:
    """Return the optional part most of whose instances are invalid, unless the others are too."""
    sampler, tried, invalid = Sampler(seed=2), Counter[Choice](), Counter[Choice]()
    total = total_invalid = 0
    deadline = process_time() + MAX_SECONDS
    while total < samples and process_time() < deadline:
        is_invalid = not is_valid(sampler.instance(schema))
        total, total_invalid = total + 1, total_invalid + is_invalid
        tried.update(sampler.choices)
        invalid.update(sampler.choices if is_invalid else ())
    rates = {choice: invalid[choice] / number for choice, number in tried.items() if number >= 4}
    worst = max(rates, key=rates.__getitem__, default=None)
    if worst is None or rates[worst] < MIN_INVALID:
        return None
    others = total - tried[worst]
    other_rate = (total_invalid - invalid[worst]) / others if others else 1.0
    return worst if rates[worst] >= other_rate + MIN_DIFFERENCE else None


def without_choice(schema: Any, choice: Choice) -> Any:
    """Return a narrowed schema without one of its optional parts."""
    if isinstance(schema, list):
        return [without_choice(part, choice) for part in schema]
    if not isinstance(schema, dict) or "enum" in schema:
        return schema
    where, what = choice
    if "anyOf" in schema:
        options = schema["anyOf"]
        kept = [option for index, option in enumerate(options) if (id(schema), index) != choice]
        kept = [without_choice(option, choice) for option in kept]
        return kept[0] if len(kept) == 1 else {"anyOf": kept}
    copy = dict(schema)
    if "properties" in schema:
        copy["properties"] = {
            name: without_choice(child, choice)
            for name, child in schema["properties"].items()
            if not (where == id(schema) and what == name)
        }
    for keyword in ("items", "prefixItems"):
        if keyword in schema:
            copy[keyword] = without_choice(schema[keyword], choice)
    return copy
