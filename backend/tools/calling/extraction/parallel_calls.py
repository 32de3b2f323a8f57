"""Find the arguments of parallel calls in one question: "in Paris and Rome"."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, product
from typing import Any

from backend.tools.calling.extraction.dates import ISO_FORMAT, date_format, find_dates
from backend.tools.calling.extraction.lists import find_lists
from backend.tools.calling.extraction.numbers import argument_value, score_number
from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.extraction.phrase_scores import is_proper_name, score_phrase
from backend.tools.calling.extraction.phrases import Phrase, find_phrases
from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion
from backend.tools.calling.extraction.tokens import Token
from backend.tools.calling.words import split_words, stem

MAX_CALLS = 8
SURE_NUMBER_SCORE = 1.0
SURE_TEXT_SCORE = 0.5
_CUE = re.compile(r"\b(?:both|each|then|respectively|the same|as well as|also)\b", re.IGNORECASE)
_SEPARATORS = frozenset({"and", "or", "&", ",", ";", ".", "?", "then", "\n"})
_JOINTS = frozenset({"and", "or", "&", ",", "in", "for", "the", "to", "on", "of", "at", "with"})
_RESPECTIVELY = re.compile(r"\brespectively\b", re.IGNORECASE)


@dataclass
class ParallelCalls:
    """The arguments in which the calls differ; no calls if there is no such argument."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    used: list[Phrase] = field(default_factory=list)


@dataclass(frozen=True)
class _Column:
    """The values of one parameter in the order of the text."""

    name: str
    values: list[Any]
    used: list[Phrase]
    is_list: bool  # joined by commas or "and"


def find_parallel_calls(text: TokenizedQuestion, parameters: Sequence[Parameter]) -> ParallelCalls:
    """Return the calls that parameters with more than one value ask for."""
    question, tokens = text.question, text.tokens
    finder = _Finder(text, parameters)
    columns = [
        each
        for each in finder.find()
        if len(each.values) > 1 and _are_separate(tokens, [phrase.first for phrase in each.used])
    ]
    counts = Counter(len(each.values) for each in columns)
    if not counts:
        return ParallelCalls()
    has_cue = _CUE.search(question) is not None
    lists = [each for each in columns if each.is_list]
    if len(lists) == len(columns) > 1 and not _RESPECTIVELY.search(question):
        rows = list(islice(product(*(each.values for each in columns)), MAX_CALLS))
    else:
        count = max(counts, key=lambda each: (counts[each], each))
        columns = [each for each in columns if len(each.values) == count]
        if len(columns) == 1 and not columns[0].is_list and not has_cue:
            return ParallelCalls()
        rows = list(zip(*(each.values for each in columns), strict=True))
    names = [each.name for each in columns]
    calls = [dict(zip(names, row, strict=True)) for row in rows[:MAX_CALLS]]
    return ParallelCalls(calls, [phrase for each in columns for phrase in each.used])


class _Finder:
    def __init__(self, text: TokenizedQuestion, parameters: Sequence[Parameter]) -> None:
        self._text = text
        self._tokens = text.tokens
        self._parameters = parameters

    def find(self) -> list[_Column]:
        columns = [*self._choices(), *self._dates(), *self._numbers(), *self._lists()]
        taken = {each.name for each in columns}
        texts = self._texts(taken)
        return columns + texts

    def _choices(self) -> list[_Column]:
        columns = []
        for parameter in self._parameters:
            if parameter.kind == "array" or len(parameter.choices) < 2:
                continue
            positions: dict[str, int] = {}
            for choice in parameter.choices:
                index = self._position(choice)
                if index is not None:
                    positions[choice] = index
            ordered = sorted(positions, key=lambda choice: positions[choice])
            used = [Phrase("", positions[choice], positions[choice]) for choice in ordered]
            is_list = _are_joined(self._tokens, used) or _are_labelled(self._tokens, used)
            columns.append(_Column(parameter.name, ordered, used, is_list=is_list))
        return columns

    def _position(self, choice: str) -> int | None:
        """Return the index of the token that names a choice; short ones are case-sensitive."""
        if len(choice) <= 2:
            return next((i for i, token in enumerate(self._tokens) if token.text == choice), None)
        words = [stem(word) for word in split_words(choice)]
        for index in range(len(self._tokens)):
            here = [token.stem for token in self._tokens[index : index + len(words)]]
            if words and here == words:
                return index
        return None

    def _dates(self) -> list[_Column]:
        wanted = [
            each
            for each in self._parameters
            if each.kind == "string" and ("dat" in each.name_stems or date_format(each.description))
        ]
        dates = find_dates(self._text.question)
        if len(wanted) != 1 or len(dates) < 2:
            return []
        style = date_format(wanted[0].description) or ISO_FORMAT
        used = [
            Phrase("", index, index)
            for index, token in enumerate(self._tokens)
            if any(token.start < date.end and date.start < token.end for date in dates)
        ]
        return [_Column(wanted[0].name, [date.format(style) for date in dates], used, is_list=True)]

    def _numbers(self) -> list[_Column]:
        """Assign each number to the parameter with the highest score."""
        wanted = [each for each in self._parameters if each.kind in ("integer", "number")]
        if any(each.takes_items(is_numeric=True) for each in self._parameters):
            return []
        indices = [
            index
            for index, token in enumerate(self._tokens)
            if token.kind == "number" and token.text.strip("-+$")[:1].isdigit()
        ]
        if not wanted or len(indices) <= len(wanted):
            return []
        positions: dict[str, list[int]] = {}
        for index in indices:
            scores = [score_number(self._tokens, index, parameter) for parameter in wanted]
            best = max(range(len(wanted)), key=lambda each: scores[each])
            if scores[best] >= SURE_NUMBER_SCORE:
                positions.setdefault(wanted[best].name, []).append(index)
        by_name = {each.name: each for each in wanted}
        columns = []
        for name, each in positions.items():
            used = [Phrase("", index, index) for index in each]
            values = [argument_value(self._tokens[index], by_name[name]) for index in each]
            columns.append(_Column(name, values, used, is_list=_are_joined(self._tokens, used)))
        return columns

    def _lists(self) -> list[_Column]:
        """Assign bracketed lists to the only array parameter."""
        wanted = [each for each in self._parameters if each.kind == "array"]
        lists = [each for each in find_lists(self._text) if each.is_bracketed]
        if len(wanted) != 1 or len(lists) < 2:
            return []
        used = [Phrase("", each.first, each.last) for each in lists]
        return [_Column(wanted[0].name, [each.items for each in lists], used, is_list=True)]

    def _texts(self, taken: set[str]) -> list[_Column]:
        """Assign names and quoted texts to the string parameters with the highest scores."""
        wanted = [
            each
            for each in self._parameters
            if each.kind == "string" and each.name not in taken and not each.choices
        ]
        takers = [each for each in self._parameters if each.takes_items(is_numeric=False)]
        if any(each.is_required for each in takers):
            return []
        positions: dict[str, list[Phrase]] = {}
        for group in self._groups():
            scores = [score_phrase(group[0], each, self._text) for each in wanted]
            if not scores or max(scores) < SURE_TEXT_SCORE:
                continue
            best = wanted[scores.index(max(scores))]
            if len(group) <= self._sibling_count(best) or (len(group) > 1 and takers):
                continue
            name = best.name
            previous = positions.get(name, [])
            if len(group) > 1 or len(previous) < 2 or not _are_joined(self._tokens, previous):
                positions[name] = group if len(group) > 1 else [*previous, *group]
        return [
            _Column(
                name,
                [phrase.text for phrase in each],
                each,
                is_list=_are_joined(self._tokens, each),
            )
            for name, each in positions.items()
        ]

    def _is_list(self, phrase: Phrase) -> bool:
        """Return True for names with commas before "and", which are not one name."""
        after = self._tokens[phrase.last + 1 : phrase.last + 3]
        has_comma = any(token.text == "," for token in self._tokens[phrase.first : phrase.last])
        return has_comma and any(token.lower in ("and", "or", "&") for token in after)

    def _sibling_count(self, parameter: Parameter) -> int:
        """Return how many parameters take such values: 2 for `city_a` with `city_b` beside it."""
        names = {name for name in parameter.name_stems if len(name) > 1}
        siblings = [
            each
            for each in self._parameters
            if each.kind == "string" and each.is_required and names & each.name_stems
        ]
        return len(siblings) if len(siblings) > 1 else 0

    def _groups(self) -> list[list[Phrase]]:
        """Return the names, grouped if they are joined by "and"."""
        groups: list[list[Phrase]] = []
        for phrase in self._names():
            if groups and _gap(self._tokens, groups[-1][-1], phrase) <= _JOINTS:
                groups[-1].append(phrase)
            else:
                groups.append([phrase])
        return [
            part
            for group in groups
            for part in (
                [group] if _are_joined(self._tokens, group) else [[each] for each in group]
            )
        ]

    def _names(self) -> list[Phrase]:
        """Return the longest names and the quoted texts, no two overlapping."""
        dates = find_dates(self._text.question)
        names = [
            phrase
            for phrase in find_phrases(self._text)
            if is_proper_name(phrase, self._tokens[phrase.first : phrase.last + 1])
            and not self._is_list(phrase)
            and not any(
                self._tokens[phrase.first].start < date.end
                and date.start < self._tokens[phrase.last].end
                for date in dates
            )
        ]
        longest: list[Phrase] = []
        for phrase in sorted(names, key=lambda each: each.first - each.last):
            if not any(phrase.overlaps(other) for other in longest):
                longest.append(phrase)
        return sorted(longest, key=lambda phrase: phrase.first)


def _are_separate(tokens: Sequence[Token], positions: Sequence[int]) -> bool:
    """Return True if a separator such as "and" is between every two values."""
    return all(
        any(token.lower in _SEPARATORS for token in tokens[earlier:later])
        for earlier, later in pairwise(positions)
    )


def _are_joined(tokens: Sequence[Token], phrases: Sequence[Phrase]) -> bool:
    """Return True if only commas, "and" and prepositions are between the values."""
    gaps = [_gap(tokens, earlier, later) for earlier, later in pairwise(phrases)]
    return (
        bool(gaps) and all(gap <= _JOINTS for gap in gaps) and bool(gaps[-1] & {"and", "or", "&"})
    )


def _gap(tokens: Sequence[Token], earlier: Phrase, later: Phrase) -> set[str]:
    return {token.lower for token in tokens[earlier.last + 1 : later.first]}


def _are_labelled(tokens: Sequence[Token], phrases: Sequence[Phrase]) -> bool:
    """Return True if each value is in brackets, after its label."""
    return all(phrase.first and tokens[phrase.first - 1].text in ("(", "[") for phrase in phrases)
