"""Score how well a phrase of a question matches a string parameter.

The weights are those of a softmax regression over the phrases of a few hundred questions.
"""

import math
import re
from collections.abc import Sequence

from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.extraction.phrases import Phrase, is_boundary
from backend.tools.calling.extraction.times import is_time, wants_time
from backend.tools.calling.extraction.tokenized_question import TokenizedQuestion
from backend.tools.calling.extraction.tokens import Token
from backend.tools.calling.words import stems

MAX_ASSIGNED = 5  # parameters of which every assignment is tried
MAX_TRIED_PHRASES = 5
_PLACE = frozenset(
    stems(
        "location city country state place region area address county town destination origin "
        "province district airport"
    )
)
_NAMED = _PLACE | frozenset(
    stems(
        "name player artist author actor person user president leader team company brand museum "
        "organization hotel store game movie book song title platform model competition league "
        "university instrument entity product language planet party celebrity"
    )
)
_KIND = frozenset(
    stems(
        "type genre category cuisine kind style level diet dietary restriction color size finish "
        "mode material preference feature sort order topic variant condition status priority method"
    )
)
_FROM = frozenset(stems("from start source origin base departure initial"))
_TO = frozenset(stems("to end target destination arrival final"))
_TEXT = frozenset(
    stems(
        "text content message body query statement sentence note title subject book song movie "
        "game item artwork name phrase word string review code keyword expression formula function"
    )
)
_CODE = frozenset(stems("symbol code ticker currency abbreviation"))
_ACRONYM = re.compile("[A-Z]{3,5}")
_LABEL = frozenset(stems("label name tag"))
_ADDRESS = frozenset(stems("url uri path file filename directory folder"))
_CALENDAR = frozenset(stems("day weekday month"))
_CALENDAR_NAMES = frozenset(
    "mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
)
_IN = frozenset("in at near for to around within from".split())  # noqa: SIM905
# Between a parameter's name and its value: "the game called 'Zelda'".
_FILLERS = frozenset("of is named called the a an as = : , being titled".split())  # noqa: SIM905
_DETERMINERS = frozenset("a an the me my this that these those all".split())  # noqa: SIM905
_ARTICLES = frozenset({"the", "a", "an", "city"})
_LINKS = frozenset({"of", "the", "and", "de", "in", ",", ":", "&"})


def score_phrase(phrase: Phrase, parameter: Parameter, text: TokenizedQuestion) -> float:
    """Return the score of a phrase as the value of a parameter; above 0 it is likely."""
    return _PhraseScorer(phrase, parameter, text).score()


def may_be_quoted(parameter: Parameter) -> bool:
    """Return True if people quote the values of a parameter, such as titles."""
    return bool(parameter.name_stems & (_TEXT | _LABEL))


def is_proper_name(phrase: Phrase, parts: Sequence[Token]) -> bool:
    if phrase.is_quoted:
        return True
    are_names = all(
        part.is_name or part.kind == "number" or part.lower in _LINKS for part in parts
    ) and any(part.is_name for part in parts)
    return are_names and not (phrase.first == 0 and len(parts) == 1)


class _PhraseScorer:
    """The evidence for one phrase: the words around it, in it, its shape, and its role."""

    def __init__(self, phrase: Phrase, parameter: Parameter, text: TokenizedQuestion) -> None:
        tokens = text.tokens
        self._phrase = phrase
        self._parameter = parameter
        self._function_stems = text.function_stems
        self._parts = tokens[phrase.first : phrase.last + 1]
        self._before = list(reversed(tokens[max(0, phrase.first - 3) : phrase.first]))
        self._after = tokens[phrase.last + 1 : phrase.last + 3]
        self._next = self._after[0] if self._after else None
        self._is_name = is_proper_name(phrase, self._parts)
        self._has_names = text.has_names
        self._is_named = bool(parameter.name_stems & _NAMED)  # its values are names

    def score(self) -> float:
        return (
            self._score_neighbors()
            + self._score_words()
            + self._score_shape()
            + self._score_role()
            + self._score_form()
            + 2.6 * (self._phrase.normalized in self._parameter.normalized_examples)
        )

    def _score_neighbors(self) -> float:
        """Score the parameter's name beside the phrase, if it is no part of a longer name."""
        parameter = self._parameter
        near = next(
            (
                token
                for token in self._before
                if token.lower not in _FILLERS or parameter.is_named_by(token.stems)
            ),
            None,
        )
        score = -2.0 if self._next and self._next.kind == "quoted" else 0.0  # its label
        if near and parameter.is_named_by(near.stems) and not self._is_end_of_name(near):
            is_value = self._is_name or near is not self._before[0]
            score += 2.6 if is_value else 0.3 if self._is_named else 1.2
        elif near and near.stems & parameter.description_stems:
            score += 0.7
        is_inside = self._is_name and self._next is not None and self._next.is_name
        if self._next and not is_inside and parameter.is_named_by(self._next.stems):
            score += 1.6
        return score

    def _is_end_of_name(self, near: Token) -> bool:
        is_plain_name = self._is_name and self._parts[0].text.isalpha()
        between = self._before[: self._before.index(near)]
        is_beside = all(token.lower in ("of", "the") for token in between)
        return is_beside and near.is_name and is_plain_name

    def _score_words(self) -> float:
        """Score the words in the phrase: of the parameter's texts, and of the function's."""
        parameter = self._parameter
        words = {part.stem for part in self._parts if part.stem and part.lower not in _LINKS}
        count = max(1, len(words))
        score = self._score_own_name()
        described = words & (parameter.description_stems - parameter.name_stems)
        foreign = words & self._function_stems - parameter.name_stems
        score += (0.8 * len(described) - 2.5 * len(foreign)) / count
        return score - 1.3 * any(part.kind == "number" for part in self._parts)

    def _score_own_name(self) -> float:
        """Score the parameter's name within: "Premier League" of a league, "city view"."""
        if len(self._parts) < 2:
            return -2.0 * (self._parameter.is_named_by(self._parts[0].stems) and not self._is_name)
        if not any(part.is_name for part in self._parts):
            return 0.8 * self._parameter.is_named_by(self._parts[-1].stems)
        words = [part for part in self._parts if part.lower not in _LINKS]
        is_plain = all(part.is_name and part.text.isalpha() for part in words)
        return 1.4 * (
            is_plain and any(map(self._parameter.is_named_by, (part.stems for part in words)))
        )

    def _score_shape(self) -> float:
        """Score quotes, and whether the phrase could have been longer."""
        is_name = self._is_name and not self._phrase.is_quoted
        left = self._before[0] if self._before and self._before[0].kind != "number" else None
        after = self._next
        score = 1.2 * self._phrase.is_quoted - 0.4 * (self._phrase.first == 0)
        if after and after.lower in _DETERMINERS:  # after a verb: "book a"
            score -= 1.5
        if after and is_name and after.kind == "word" and not is_boundary(after):
            score -= 0.4
        is_label = left is not None and self._parameter.is_named_by(left.stems)
        score -= 1.5 * (_continues(left, is_name=is_name) and not (is_label and not self._is_named))
        score -= 0.6 * (is_name and left is not None and left.text == "The")
        return score - 1.2 * (_continues(after, is_name=is_name) and not self._modifies())

    def _modifies(self) -> bool:
        """Return True before a word of the function, as "classical" in "classical concert"."""
        is_kind = bool(self._parameter.name_stems & _KIND)
        return is_kind and self._next is not None and self._next.stem in self._function_stems

    def _score_role(self) -> float:
        """Score what the parameter is for: a place, a name, a kind, a beginning or an end."""
        names, is_name = self._parameter.role_stems, self._is_name
        preposition = next(
            (token.lower for token in self._before if token.lower not in _ARTICLES), ""
        )
        score = 0.0
        if names & _PLACE and is_name:
            score += (0.8 if preposition in _IN else -0.4) - 1.0 * self._has_suffix()
        elif any(part.text == "," for part in self._parts):
            score -= 1.0
        if self._is_named or "nam" in self._parameter.description_stems:
            score += 1.2 if is_name else -1.2 * self._has_names
        if names & _KIND:
            score += 1.1 * self._modifies() + (-0.7 if is_name else 0.7)
        if names & _FROM:
            is_followed = self._next is not None and self._next.lower == "to"
            is_unit = bool(self._before) and self._before[0].kind == "number"
            score += 1.5 * (preposition in ("from", "between")) + 0.8 * is_followed + 1.2 * is_unit
        if names & _TO:
            score += 1.5 * (preposition in ("to", "into")) + 0.5 * (preposition == "in")
        return score + 0.3 * is_name

    def _has_suffix(self) -> bool:
        """Return True if a name goes on after a comma, as "Boston, MA" does."""
        return len(self._after) == 2 and self._after[0].text == "," and self._after[1].is_name

    def _score_form(self) -> float:
        """Score whether the phrase is quoted, an address or an identifier as the parameter is."""
        names, stems_of_all = self._parameter.name_stems, self._parameter.all_stems
        score = 0.0
        if self._phrase.is_quoted:
            score += 0.8 if names & _TEXT else -0.5
        if stems_of_all & {"email", "mail"}:
            score += 2.0 * ("@" in self._phrase.text)
        if names & _ADDRESS:
            score += 2.0 * ("/" in self._phrase.text or "." in self._phrase.text)
        if names & _CALENDAR:
            score += 1.5 * (self._phrase.text.lower()[:3] in _CALENDAR_NAMES)
        if names & _CODE:
            score += 1.0 * (_ACRONYM.fullmatch(self._phrase.text) is not None)
        if wants_time(self._parameter) and is_time(self._phrase.text):
            score += 2.0
        if "id" in names or "identif" in stems_of_all:
            score += 1.0 * any(char.isdigit() for char in self._phrase.text)
        return score


def _continues(token: Token | None, *, is_name: bool) -> bool:
    if token is None or is_boundary(token) or token.kind not in ("word", "number"):
        return False
    return token.is_name or token.kind == "number" or not is_name


def assign_phrases(scores: Sequence[Sequence[float]], phrases: Sequence[Phrase]) -> dict[int, int]:
    """Return the phrase of each parameter, no two overlapping, with the best sum of scores."""
    rows = range(min(len(scores), MAX_ASSIGNED))
    choices = [
        sorted(range(len(phrases)), key=lambda column: -scores[row][column])[:MAX_TRIED_PHRASES]
        for row in rows
    ]
    best: tuple[float, dict[int, int]] = (0.0, {})

    def extend(row: int, total: float, chosen: dict[int, int]) -> None:
        nonlocal best
        if row == len(choices):
            best = max(best, (total, chosen), key=lambda each: each[0])
            return
        extend(row + 1, total, chosen)
        for column in choices[row]:
            taken = (phrases[other] for other in chosen.values())
            if scores[row][column] > 0 and not any(map(phrases[column].overlaps, taken)):
                extend(row + 1, total + scores[row][column], chosen | {row: column})

    extend(0, 0.0, {})
    return best[1]


def probabilities(scores: Sequence[float]) -> list[float]:
    """Return the softmax of scores."""
    highest = max(scores, default=0.0)
    exponentials = [math.exp(score - highest) for score in scores]
    total = sum(exponentials)
    return [each / total for each in exponentials]
