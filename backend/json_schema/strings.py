"""Narrow a string schema to what a grammar can express: a pattern or length bounds."""

from typing import Any

from backend.json_schema.formats import ENCODINGS, FORMATS
from backend.json_schema.regex_cost import MAX_OPTIONAL, pattern_cost
from backend.json_schema.regex_narrow import UnsupportedPatternError, narrow_pattern
from backend.json_schema.regex_sampling import verified_examples

MAX_PATTERN_LENGTH = 256  # characters of a match
MIN_PATTERN_LENGTH = 16  # a match cut shorter makes no sense
MIN_FORMAT_LENGTH, MAX_FORMAT_LENGTH = 40, 80

Schema = dict[str, Any]


def narrow_string(schema: Schema, budget: int) -> tuple[Schema, int, list[str]] | None:
    """Return the narrowed schema, its maximum length and the keywords it does not enforce.

    Strings get at most `budget` characters unless the schema asks for more. None if no string is
    valid.
    """
    schemas: list[Schema] = [schema, *schema.get("allOf", ())]
    narrowed, unenforced = None, ["contentMediaType"] if "contentMediaType" in schema else []
    for keyword, pattern in _patterns(schemas):
        if narrowed is None:
            narrowed = _by_pattern(pattern, schema, _length_limit(keyword, budget))
            if narrowed is None and keyword == "pattern":
                narrowed = _by_examples(pattern, schema, budget)
            if narrowed is not None:
                continue
        unenforced.append(keyword)
    narrowed = narrowed or _by_length(schema, budget)
    return None if narrowed is None else (*narrowed, unenforced)


def _patterns(schemas: list[Schema]) -> list[tuple[str, str]]:
    """Return each keyword with the pattern it stands for; a grammar enforces only one of them."""
    patterns = [("pattern", schema["pattern"]) for schema in schemas if "pattern" in schema]
    for keyword, bodies in (("format", FORMATS), ("contentEncoding", ENCODINGS)):
        patterns += [
            (keyword, f"^({bodies[schema[keyword]]})$")
            for schema in schemas
            if schema.get(keyword) in bodies
        ]
    return patterns


def _length_limit(keyword: str, budget: int) -> int:
    """Return the length limit; formats get twice the budget, as most of their parts stay short."""
    if keyword == "format":
        return max(MIN_FORMAT_LENGTH, min(2 * budget, MAX_FORMAT_LENGTH))
    return max(MIN_PATTERN_LENGTH, budget)


def _by_pattern(pattern: str, schema: Schema, limit: int) -> tuple[Schema, int] | None:
    minimum, maximum = schema.get("minLength", 0), schema.get("maxLength", MAX_PATTERN_LENGTH)
    for max_length in (limit, MAX_PATTERN_LENGTH):
        try:
            narrower, length = narrow_pattern(pattern, minimum, min(max_length, maximum))
        except UnsupportedPatternError:
            continue
        if pattern_cost(narrower).optional <= MAX_OPTIONAL:
            return {"type": "string", "pattern": narrower}, length + 2
    return None


def _by_examples(pattern: str, schema: Schema, budget: int) -> tuple[Schema, int] | None:
    """Return an enum of strings that match a pattern which no grammar can express."""
    minimum, maximum = schema.get("minLength", 0), schema.get("maxLength", MAX_PATTERN_LENGTH)
    examples = verified_examples(pattern, minimum, min(max(budget, MIN_PATTERN_LENGTH), maximum))
    return ({"enum": examples}, max(map(len, examples)) + 2) if examples else None


def _by_length(schema: Schema, budget: int) -> tuple[Schema, int] | None:
    minimum, maximum = schema.get("minLength", 0), schema.get("maxLength")
    if maximum is not None and minimum > maximum:
        return None
    maximum = max(minimum, budget if maximum is None else min(maximum, budget))
    minimum = max(minimum, min(maximum, 1))  # models often write "", which is rarely intended
    return {"type": "string", "minLength": minimum, "maxLength": maximum}, maximum + 2
