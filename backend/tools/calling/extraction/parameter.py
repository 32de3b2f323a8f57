"""A parameter of a function, with what its name and description say about its value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str
from backend.tools.calling.extraction.units import units_in
from backend.tools.calling.words import normalize, stem, stems

MAX_DESCRIPTION_CHARACTERS = 500
MAX_EXAMPLES = 20
MAX_CHOICES = 200
MIN_PREFIX_LETTERS = 4
# Keywords that say more about a value than its type does.
_RESTRICTIONS = frozenset(
    "enum const format pattern allOf anyOf oneOf not $ref minLength maxLength multipleOf".split()  # noqa: SIM905
)
_FUNCTION_WORDS = frozenset("a an and at by for from in is of on or the to with".split())  # noqa: SIM905
_SYNONYMS = {
    stem(name): tuple(stems(words))
    for name, words in {
        "width": "wide",
        "height": "high tall",
        "length": "long",
        "depth": "deep",
        "weight": "weigh weighing heavy",
        "mass": "weigh weighing heavy",
        "age": "old aged",
        "speed": "velocity fast",
        "velocity": "speed",
        "distance": "far away",
        "price": "cost",
        "cost": "price",
        "people": "guests persons adults",
        "guests": "people persons",
    }.items()
}
_DEFAULT = re.compile(r"\bdefaults?\b.*", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"""(?<!\w)["'\u2018\u201c]([^"'\u2018-\u201d]{1,40})["'\u2019\u201d]""")
_LISTED = re.compile(
    r"(?:\be\.?g\b\.?|\bsuch as|\blike|\bexamples?\b|\binclud(?:e|ing))[\s:,]*([^.()]{1,120})",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\b(?:can be|either|one of|options?|possible values|allowed values|valid values|choose)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parameter:
    """`kind` is the JSON type of its value, or "" if that is not one type without restrictions."""

    name: str
    kind: str
    item_kind: str  # of an array
    is_required: bool
    name_stems: frozenset[str]
    synonyms: frozenset[str]  # of the name: "wide" of a width
    role_stems: frozenset[str]  # those of the name with "from", "to" and the like
    description_stems: frozenset[str]
    units: frozenset[str]
    examples: tuple[str, ...]  # values that the description lists
    choices: tuple[str, ...]  # the only values that are possible
    description: str
    schema: Mapping[str, Any]  # without the alternative null

    def takes_items(self, *, is_numeric: bool) -> bool:
        """Return True if an array may have numbers, or else texts."""
        return self.item_kind in (("integer", "number") if is_numeric else ("string",))

    @cached_property
    def normalized_examples(self) -> frozenset[str]:
        return frozenset(map(normalize, self.examples))

    def is_named_by(self, word_stems: frozenset[str]) -> bool:
        """Return True if words are of the parameter's name: "user" is of "username"."""
        if word_stems & self.synonyms:
            return True
        return any(
            word == name or (len(word) >= MIN_PREFIX_LETTERS and name.startswith(word))
            for word in word_stems
            for name in self.name_stems
        )

    @property
    def all_stems(self) -> frozenset[str]:
        return self.name_stems | self.description_stems


def read_parameter(name: str, schema: Any, *, is_required: bool) -> Parameter:
    """Return a parameter with what its name, description and schema say."""
    plain = _without_null(as_dict(schema))
    description = as_str(as_dict(schema).get("description"))[:MAX_DESCRIPTION_CHARACTERS]
    specific = _DEFAULT.sub("", description)
    kind = _kind(plain)
    return Parameter(
        name=name,
        kind=kind,
        item_kind=_kind(as_dict(plain.get("items"))) if kind == "array" else "",
        is_required=is_required,
        name_stems=frozenset(stems(name.replace("_", " "))) - _FUNCTION_WORDS,
        synonyms=frozenset(
            word for each in stems(name.replace("_", " ")) for word in _SYNONYMS.get(each, ())
        ),
        role_stems=frozenset(stems(name.replace("_", " "))),
        description_stems=frozenset(stems(specific)),
        units=units_in(specific) | units_in(name.replace("_", " ")),
        examples=_examples(description),
        choices=_choices(plain, description),
        description=description,
        schema=plain,
    )


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the other alternative of a schema that is a union with null."""
    alternatives = as_dict_list(schema.get("anyOf"))
    others = [each for each in alternatives if each.get("type") != "null"]
    return others[0] if len(alternatives) == 2 and len(others) == 1 else schema


def _kind(schema: Mapping[str, Any]) -> str:
    types = schema.get("type")
    names = [each for each in types if each != "null"] if isinstance(types, list) else [types]
    if len(names) != 1 or schema.keys() & _RESTRICTIONS:
        return ""
    return as_str(names[0])


def _choices(schema: Mapping[str, Any], description: str) -> tuple[str, ...]:
    """Return the values of an enum, of an array's items too, or those that a description lists."""
    values = schema.get("enum") or as_dict(schema.get("items")).get("enum")
    if isinstance(values, list):
        return tuple(value for value in values[:MAX_CHOICES] if isinstance(value, str))
    listed = _CHOICE.search(description) if _kind(schema) == "string" else None
    return tuple(_QUOTED.findall(description[listed.start() :])) if listed else ()


def _examples(description: str) -> tuple[str, ...]:
    quoted = _QUOTED.findall(description)
    listed = [
        part.strip(" '\"")
        for text in _LISTED.findall(description)
        for part in [text, *re.split(r",|\bor\b|\band\b|\betc\b", text)]
    ]
    examples = dict.fromkeys(each for each in [*quoted, *listed] if len(each) > 2)
    return tuple(examples)[:MAX_EXAMPLES]
