"""Match the phrases of a question with string parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.extraction.phrase_scores import (
    assign_phrases,
    may_be_quoted,
    probabilities,
    score_phrase,
)
from backend.tools.calling.extraction.phrases import Phrase
from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion

MAX_CANDIDATES = 6
MIN_CANDIDATE_SCORE = -1.5
MAX_TEXT_PARAMETERS = 20
SURE_PROBABILITY = 0.3
SURE_SCORE = 0.5
ALONE_PROBABILITY = 0.7  # that makes up for a low score


@dataclass
class ExtractedArguments:
    """The certain values, and for other parameters the candidates that the model chooses from."""

    values: dict[str, Any] = field(default_factory=dict)
    candidates: dict[str, list[str]] = field(default_factory=dict)


def match_texts(
    text: TokenizedQuestion,
    extracted: ExtractedArguments,
    phrases: Sequence[Phrase],
    parameters: Sequence[Parameter],
    lists: Sequence[Parameter],
) -> None:
    """Add a phrase, or candidates for the model to choose from, for each parameter.

    `lists` are parameters for lists of strings, which only get candidates.
    """
    matcher = _Matcher(text, extracted, phrases)
    for parameter in lists:
        matcher.add_candidates(parameter, matcher.rank(parameter))
    wanted = [
        parameter
        for parameter in parameters
        if text.asks_for(parameter) or matcher.is_example(parameter, phrases)
    ]
    matcher.match(wanted[:MAX_TEXT_PARAMETERS])
    matcher.assign_quoted([each for each in parameters if each not in wanted])


class _Matcher:
    def __init__(
        self, text: TokenizedQuestion, extracted: ExtractedArguments, phrases: Sequence[Phrase]
    ) -> None:
        self._text = text
        self._extracted = extracted
        self._phrases = phrases
        self._used: list[Phrase] = []

    @staticmethod
    def is_example(parameter: Parameter, phrases: Sequence[Phrase]) -> bool:
        """Return True if a phrase is an example in the description."""
        return any(phrase.normalized in parameter.normalized_examples for phrase in phrases)

    def match(self, parameters: Sequence[Parameter]) -> None:
        """Assign each parameter its best phrase, no two overlapping."""
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
                self._assign(parameter, _best_first(free))

    def assign_quoted(self, parameters: Sequence[Parameter]) -> None:
        """Assign the only unused quoted text to the only parameter that may be quoted."""
        left = [
            phrase
            for phrase in self._phrases
            if phrase.is_quoted and not any(phrase.overlaps(each) for each in self._used)
        ]
        wanted = [each for each in parameters if may_be_quoted(each)]
        if len(left) == len(wanted) == 1:
            self._extracted.values[wanted[0].name] = left[0].text

    def rank(self, parameter: Parameter) -> list[tuple[Phrase, float]]:
        scores = self._scores(parameter, self._phrases)
        return _best_first(list(zip(self._phrases, scores, strict=True)))

    def add_candidates(self, parameter: Parameter, ranked: Sequence[tuple[Phrase, float]]) -> None:
        """Store the best phrases as candidates."""
        self._extracted.candidates[parameter.name] = [
            phrase.text for phrase, score in ranked[:MAX_CANDIDATES] if score >= MIN_CANDIDATE_SCORE
        ]

    def _assign(self, parameter: Parameter, ranked: Sequence[tuple[Phrase, float]]) -> None:
        """Use the best phrase if it is certain; else store the best ones as candidates."""
        phrase, score = ranked[0]
        probability = probabilities([each for _, each in ranked])[0]
        is_sure = (score >= SURE_SCORE and probability >= SURE_PROBABILITY) or (
            score > 0 and probability >= ALONE_PROBABILITY
        )
        is_asked_for = self._text.asks_for(parameter)
        if is_sure if is_asked_for else self.is_example(parameter, [phrase]):
            self._extracted.values[parameter.name] = phrase.text
        else:
            self.add_candidates(parameter, ranked)

    def _scores(self, parameter: Parameter, phrases: Sequence[Phrase]) -> list[float]:
        return [score_phrase(phrase, parameter, self._text) for phrase in phrases]


def _best_first(scored: Sequence[tuple[Phrase, float]]) -> list[tuple[Phrase, float]]:
    return sorted(scored, key=lambda each: -each[1])
