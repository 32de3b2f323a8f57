"""Extract the arguments that a question states, so that no model has to copy them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from backend.json_values import as_dict
from backend.tools.calling.extraction.dates import ISO_FORMAT, date_format, find_dates
from backend.tools.calling.extraction.lists import ListInText, find_lists
from backend.tools.calling.extraction.numbers import match_numbers
from backend.tools.calling.extraction.parallel_calls import ParallelCalls, find_parallel_calls
from backend.tools.calling.extraction.parameter import Parameter, read_parameter
from backend.tools.calling.extraction.phrases import Phrase, find_phrases
from backend.tools.calling.extraction.text_matching import ExtractedArguments, match_texts
from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion
from backend.tools.calling.extraction.tokens import Token, read_tokens
from backend.tools.calling.words import normalize, split_words, stem, stems

MAX_PARAMETERS = 64  # the others are left to the model
_FORMULAS = frozenset(stems("expression formula function equation polynomial"))
# Words in the name of a boolean that say nothing about what it switches on.
_AUXILIARY = frozenset(
    stems("include want need is has use enable show with get return should flag")
)
_NEGATIONS = frozenset(
    {"no", "not", "without", "don't", "excluding", "exclude", "disable", "never"}
)
_NEXT_UNIT = re.compile(
    r"\b(?:next|coming|following|past|last)\s+(day|week|month|year|hour)\b", re.IGNORECASE
)


def extract_arguments(
    question: str,
    properties: Mapping[str, Any],
    required: Sequence[str],
    function_stems: frozenset[str],
    *,
    is_parallel: bool = True,
) -> list[ExtractedArguments]:
    """Return what a question states about the parameters, for each of the calls it asks for.

    That is one call unless `is_parallel`. `properties` are the schemas of the parameters;
    `function_stems` has the words of the function's name and description.
    """
    parameters = [
        read_parameter(name, schema, is_required=name in required)
        for name, schema in islice(properties.items(), MAX_PARAMETERS)
    ]
    takes_formula = any(
        each.kind == "string" and each.name_stems & _FORMULAS for each in parameters
    )
    text = TokenizedQuestion(
        question, read_tokens(question, has_formulas=takes_formula), function_stems
    )
    parallel = find_parallel_calls(text, parameters) if is_parallel else ParallelCalls()
    return [
        _Extractor(text, parameters, values, parallel.used).extract()
        for values in parallel.calls or [{}]
    ]


class _Extractor:
    """Extracts one kind of value after the other; a token is used for one value only."""

    def __init__(
        self,
        text: TokenizedQuestion,
        parameters: Sequence[Parameter],
        values: Mapping[str, Any],
        used: Sequence[Phrase],
    ) -> None:
        self._text = text
        self._tokens = text.tokens
        self._parameters = parameters
        self._words = text.stems
        self._used = list(used)
        self._extracted = ExtractedArguments(dict(values))

    def extract(self) -> ExtractedArguments:
        self._find_choices()
        self._find_dates()
        self._find_flags()
        self._find_lists()
        self._find_numbers()
        self._find_objects()
        self._find_other_numbers()
        self._find_texts()
        return self._extracted

    def _open(self, *kinds: str) -> list[Parameter]:
        """Return the parameters of these kinds without a value."""
        return [
            parameter
            for parameter in self._parameters
            if parameter.kind in kinds and parameter.name not in self._extracted.values
        ]

    def _use(self, first: int, last: int) -> None:
        self._used.append(Phrase("", first, last))

    def _is_used(self, first: int, last: int) -> bool:
        return any(phrase.first <= last and first <= phrase.last for phrase in self._used)

    def _find_choices(self) -> None:
        """Extract the only enum value, or choice in a description, that the question names."""
        for parameter in self._parameters:
            if parameter.name in self._extracted.values:
                continue
            named = [choice for choice in parameter.choices if self._is_named(choice)]
            if parameter.kind == "array" and named:
                self._extracted.values[parameter.name] = named
            elif len(named) == 1:
                self._extracted.values[parameter.name] = named[0]
            elif parameter.kind == "string" and len(parameter.choices) > 1:
                self._extracted.candidates[parameter.name] = list(parameter.choices)

    def _is_named(self, choice: str) -> bool:
        words = {stem(word) for word in split_words(choice)}
        return bool(words) and words <= self._words

    def _find_dates(self) -> None:
        """Assign the dates to the date parameters, in their order."""
        dates = find_dates(self._text.question)
        wanted = [each for each in self._open("string") if _wants_date(each)]
        if len(dates) < sum(parameter.is_required for parameter in wanted):
            return
        for parameter, date in zip(wanted, dates, strict=False):
            wanted_format = date_format(parameter.description) or ISO_FORMAT
            self._extracted.values[parameter.name] = date.format(wanted_format)
            for index, token in enumerate(self._tokens):
                if token.start < date.end and date.start < token.end:
                    self._use(index, index)

    def _find_flags(self) -> None:
        for parameter in self._open("boolean"):
            words = parameter.name_stems - _AUXILIARY
            if words and words <= self._words:
                index = next((i for i, token in enumerate(self._tokens) if token.stems & words), 0)
                before = self._tokens[max(0, index - 3) : index]
                is_negated = any(token.lower in _NEGATIONS for token in before)
                self._extracted.values[parameter.name] = not is_negated

    def _find_lists(self) -> None:
        """Assign the lists to the array parameters if there are as many."""
        lists = [
            each for each in find_lists(self._text) if not self._is_used(each.first, each.last)
        ]
        for is_numeric in (True, False):
            wanted = list(filter(self._text.asks_for, self._open_lists(is_numeric=is_numeric)))
            wanted.sort(key=lambda parameter: not parameter.is_required)
            fitting = [each for each in lists if each.is_numeric == is_numeric]
            if not wanted:
                wanted = self._open_lists(is_numeric=is_numeric)[:1]
                fitting = [
                    each
                    for each in fitting
                    if self._are_names(each) or _are_examples(each.items, wanted)
                ]
            if len(fitting) != max(1, sum(parameter.is_required for parameter in wanted)):
                continue
            for parameter, each in zip(wanted, fitting, strict=False):
                self._extracted.values[parameter.name] = _without_label(each.items, parameter)
                self._use(each.first, each.last)

    def _open_lists(self, *, is_numeric: bool) -> list[Parameter]:
        return [
            parameter
            for parameter in self._open("array")
            if not parameter.choices and parameter.takes_items(is_numeric=is_numeric)
        ]

    def _are_names(self, each: ListInText) -> bool:
        tokens = self._tokens[each.first : each.last + 1]
        words = [token for token in tokens if token.kind in ("word", "quoted")]
        return all(
            token.is_name or token.kind == "quoted" for token in words if token.lower != "and"
        )

    def _find_numbers(self) -> None:
        tokens = [
            Token("mark", token.text, token.start, token.end)
            if token.kind == "number" and self._is_used(index, index)
            else token
            for index, token in enumerate(self._tokens)
        ]
        for name, (index, value) in match_numbers(tokens, self._open("integer", "number")).items():
            self._extracted.values[name] = value
            self._use(index, index)
        if period := _NEXT_UNIT.search(self._text.question):
            for parameter in self._open("integer"):
                if parameter.is_required and stem(period[1].lower()) in parameter.name_stems:
                    self._extracted.values[parameter.name] = 1

    def _find_objects(self) -> None:
        """Extract an object from the unused tokens if they have all of its required properties."""
        for parameter in self._open("object"):
            properties = as_dict(parameter.schema.get("properties"))
            required = parameter.schema.get("required") or list(properties)
            if not properties or not isinstance(required, list):
                continue
            inner = [
                _within(parameter, read_parameter(name, schema, is_required=name in required))
                for name, schema in islice(properties.items(), MAX_PARAMETERS)
            ]
            if any(each.kind not in ("integer", "number") for each in inner if each.is_required):
                continue
            values = _Extractor(self._text, inner, {}, self._used).extract().values
            if all(name in values for name in required):
                self._extracted.values[parameter.name] = values

    def _find_other_numbers(self) -> None:
        """Assign all unused numbers to the only array of numbers."""
        wanted = [each for each in self._open("array") if each.takes_items(is_numeric=True)]
        left = [
            token.value
            for index, token in enumerate(self._tokens)
            if token.kind == "number"
            and token.text[-1:].isdigit()
            and not self._is_used(index, index)
        ]
        if len(wanted) == 1 and wanted[0].is_required and len(left) > 1:
            self._extracted.values[wanted[0].name] = left

    def _find_texts(self) -> None:
        phrases = [
            phrase
            for phrase in find_phrases(self._text)
            if not self._is_used(phrase.first, phrase.last)
        ]
        lists = [each for each in self._open_lists(is_numeric=False) if each.is_required]
        texts = [
            parameter
            for parameter in self._open("string")
            if parameter.name not in self._extracted.candidates
            and not date_format(parameter.description)
        ]
        if phrases:
            match_texts(self._text, self._extracted, phrases, texts, lists)


def _are_examples(items: Sequence[Any], parameters: Sequence[Parameter]) -> bool:
    """Return True if the description of the only parameter lists all items."""
    return any(
        all(normalize(str(item)) in parameter.normalized_examples for item in items)
        for parameter in parameters
    )


def _without_label(items: list[Any], parameter: Parameter) -> list[Any]:
    """Return items without the parameter's name before the first: "the columns name and age"."""
    label, _, rest = items[0].partition(" ") if items and isinstance(items[0], str) else ("",) * 3
    is_label = bool(rest) and parameter.is_named_by(frozenset(stems(label)))
    return [rest, *items[1:]] if is_label else items


def _within(parent: Parameter, parameter: Parameter) -> Parameter:
    """Return a property of an object parameter, with the stems of that parameter added."""
    return replace(parameter, description_stems=parameter.description_stems | parent.all_stems)


def _wants_date(parameter: Parameter) -> bool:
    return "dat" in parameter.name_stems or bool(date_format(parameter.description))
