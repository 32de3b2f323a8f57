"""Match the phrases of a question with the text parameters that they are the values of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.tools.calling.stated.parameter import Parameter
from backend.tools.calling.stated.phrases import Phrase
from backend.tools.calling.stated.text import Text
from backend.tools.calling.stated.texts import (
    assign_phrases,
    may_be_quoted,
    probabilities,
    score_phrase,
)

MAX_CANDIDATES = 6
MIN_CANDIDATE_SCORE = -1.5
MAX_TEXT_PARAMETERS = 20
SURE_PROBABILITY = 0.3
SURE_SCORE = 0.5
ALONE_PROBABILITY = 0.7  # that makes up for a low score


@dataclass
class Stated:
    """The values that are sure, and for other parameters the only values to choose from."""

    values: dict[str, Any] = field(default_factory=dict)
    candidates: dict[str, list[str]] = field(default_factory=dict)


def match_texts(
    text: Text,
    stated: Stated,
    phrases: Sequence[Phrase],
    parameters: Sequence[Parameter],
    lists: Sequence[Parameter],
) -> None:
    """Add to what is stated a phrase, or several to choose from, for each parameter.

    `lists` are parameters for lists of texts, which only get phrases to choose from.
    """
    matcher = _Matcher(text, stated, phrases)
    for parameter in lists:
        matcher.keep_best(parameter, matcher.rank(parameter))
    wanted = [
        parameter
        for parameter in parameters
        if text.asks_for(parameter) or matcher.is_example(parameter, phrases)
    ]
    matcher.match(wanted[:MAX_TEXT_PARAMETERS])
    matcher.give_quoted([each for each in parameters if each not in wanted])


class _Matcher:
    def __init__(self, text: Text, stated: Stated, phrases: Sequence[Phrase]) -> None:
        self._text = text
        self._stated = stated
        self._phrases = phrases
        self._used: list[Phrase] = []

    @staticmethod
    def is_example(parameter: Parameter, phrases: Sequence[Phrase]) -> bool:
        """Return True if one of the values that a description lists is among phrases."""
        return any(phrase.normalized in parameter.normalized_examples for phrase in phrases)

    def match(self, parameters: Sequence[Parameter]) -> None:
        """Give each parameter the phrase that fits it best, no two overlapping."""
        phrases = self._phrases
        scores = [self._scores(parameter, phrases) for parameter in parameters]
        chosen = assign_phrases(scores, phrases)
        self._used = [phrases[column] for column in chosen.values()]
        for row, parameter in enumerate(parameters):
            others = [phrases[column] for other, column in chosen.items() if other != row]
            free = [
                (phrase, score)
                for phrase, score in zip(phrases, scores[row], strict=True)
                if not any(phrase.overlaps(other) for other in others)
            ]
            if free:
                self._settle(parameter, _best_first(free))

    def give_quoted(self, parameters: Sequence[Parameter]) -> None:
        """Give a quoted text that is left to the only parameter that may be quoted."""
        left = [
            phrase
            for phrase in self._phrases
            if phrase.is_quoted and not any(phrase.overlaps(each) for each in self._used)
        ]
        wanted = [each for each in parameters if may_be_quoted(each)]
        if len(left) == len(wanted) == 1:
            self._stated.values[wanted[0].name] = left[0].text

    def rank(self, parameter: Parameter) -> list[tuple[Phrase, float]]:
        scores = self._scores(parameter, self._phrases)
        return _best_first(list(zip(self._phrases, scores, strict=True)))

    def keep_best(self, parameter: Parameter, ranked: Sequence[tuple[Phrase, float]]) -> None:
        """Keep the best phrases for the model to choose from."""
        self._stated.candidates[parameter.name] = [
            phrase.text for phrase, score in ranked[:MAX_CANDIDATES] if score >= MIN_CANDIDATE_SCORE
        ]

    def _settle(self, parameter: Parameter, ranked: Sequence[tuple[Phrase, float]]) -> None:
        """Take the best phrase if it is sure; else keep the best ones to choose from."""
        phrase, score = ranked[0]
        probability = probabilities([each for _, each in ranked])[0]
        is_sure = (score >= SURE_SCORE and probability >= SURE_PROBABILITY) or (
            score > 0 and probability >= ALONE_PROBABILITY
        )
        is_asked_for = self._text.asks_for(parameter)
        if is_sure if is_asked_for else self.is_example(parameter, [phrase]):
            self._stated.values[parameter.name] = phrase.text
        else:
            self.keep_best(parameter, ranked)

    def _scores(self, parameter: Parameter, phrases: Sequence[Phrase]) -> list[float]:
        return [score_phrase(phrase, parameter, self._text) for phrase in phrases]


def _best_first(scored: Sequence[tuple[Phrase, float]]) -> list[tuple[Phrase, float]]:
    return sorted(scored, key=lambda each: -each[1])
