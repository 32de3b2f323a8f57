"""Match the numbers in a question with numeric parameters.

The weights were tuned by hand on a few hundred questions.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations

from backend.tools.calling.extraction.parameter import Parameter
from backend.tools.calling.extraction.tokens import Token
from backend.tools.calling.extraction.units import unit_of
from backend.tools.calling.words import rarity, stems

SURE_SCORE = 0.3
SURE_WORD_SCORE = 0.6  # of "ten"
SURE_OPTIONAL_SCORE = 1.5
ORDER_WEIGHT = 0.6  # of a number that comes in the order of the parameters
MAX_MATCHED = 5  # parameters and numbers of which every assignment is tried
MAX_TRIED_NUMBERS = 7
MAX_NUMBERS = 40

_MAX_BEFORE, _MAX_AFTER = 7, 4
_MIN_RARITY = 2.0  # of a description's word that counts
_MONEY = frozenset(
    stems(
        "price cost amount budget principal income investment dollar money salary revenue dividend "
        "equity loan payment deposit value fee balance contribution"
    )
)
_COUNT = frozenset(stems("limit count number num max maximum top results"))
_RATE = frozenset(stems("rate percent percentage discount interest ratio growth yield"))
_TIME = frozenset(stems("year date century season"))
_IN_UNITS = frozenset("-/\u00b2\u00b3^")


def match_numbers(
    tokens: Sequence[Token], parameters: Sequence[Parameter]
) -> dict[str, tuple[int, int | float]]:
    """Return the token index and the value of each parameter with a certain number."""
    indices = [index for index, token in enumerate(tokens) if token.kind == "number"][:MAX_NUMBERS]
    matched = dict(_match_lists(tokens, parameters, indices))
    required = [each for each in parameters if each.is_required and each.name not in matched]
    left = [index for index in indices if index not in matched.values()]
    matched |= _match(tokens, required, left, SURE_SCORE, order_weight=ORDER_WEIGHT)
    left = [index for index in indices if index not in matched.values()]
    optional = [each for each in parameters if not each.is_required and each.name not in matched]
    is_only = len(left) == len(optional) == 1 and all(each.name in matched for each in required)
    sure_score = SURE_OPTIONAL_SCORE
    if is_only:
        is_word = not tokens[left[0]].text[-1:].isdigit()
        sure_score = SURE_WORD_SCORE if is_word else SURE_SCORE
        optional = [each for each in optional if not is_word or each.kind == "integer"]
        if any(each.name_stems & _COUNT for each in optional):
            sure_score = 0.0
    matched |= _match(tokens, optional, left, sure_score, order_weight=0)
    by_name = {parameter.name: parameter for parameter in parameters}
    return {
        name: (index, argument_value(tokens[index], by_name[name]))
        for name, index in matched.items()
    }


def _match_lists(
    tokens: Sequence[Token], parameters: Sequence[Parameter], indices: Sequence[int]
) -> Iterator[tuple[str, int]]:
    """Yield pairs for numbers that come in the order of names: "length and width of 5 and 3"."""
    for first, last in pairwise(indices):
        if not _are_joined(tokens, first, last):
            continue
        before = tokens[max(0, first - _MAX_BEFORE) : first]
        named = dict.fromkeys(
            parameter.name
            for token in before
            for parameter in parameters
            if parameter.is_named_by(token.stems)
        )
        if len(named) == 2:
            yield from zip(named, (first, last), strict=True)
            return


def _are_joined(tokens: Sequence[Token], first: int, last: int) -> bool:
    """Return True if there is "and" between two numbers, and at most a unit beside it."""
    between = tokens[first + 1 : last]
    return any(token.lower == "and" for token in between) and all(
        token.lower == "and" or unit_of(token.text) for token in between
    )


def argument_value(token: Token, parameter: Parameter) -> int | float:
    """Return the value of a number: 5 % is 0.05, unless the parameter is a percentage."""
    if token.unit == "%" and parameter.kind == "number" and "percent" not in parameter.units:
        return round(float(token.value) / 100, 12)
    return token.value  # type: ignore[no-any-return]


def _match(
    tokens: Sequence[Token],
    parameters: Sequence[Parameter],
    indices: Sequence[int],
    sure_score: float,
    *,
    order_weight: float,
) -> dict[str, int]:
    """Return the numbers of the parameters, each number once, with the best sum of scores."""
    in_order = len(parameters) == len(indices)
    scores = [
        [
            score_number(tokens, index, parameter) + order_weight * (in_order and row == column)
            for column, index in enumerate(indices)
        ]
        for row, parameter in enumerate(parameters)
    ]
    return {
        parameters[row].name: indices[column]
        for row, column in _assign(scores)
        if scores[row][column] >= sure_score
    }


def _assign(scores: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return pairs of rows and columns: with the best sum if they are few, else greedily."""
    rows, columns = len(scores), len(scores[0]) if scores else 0
    if not rows or not columns:
        return []
    if rows <= MAX_MATCHED and columns <= MAX_TRIED_NUMBERS:
        padded = [*range(columns), *[-1] * max(0, rows - columns)]
        best = max(
            permutations(padded, rows),
            key=lambda chosen: sum(
                scores[row][column] for row, column in enumerate(chosen) if column >= 0
            ),
        )
        return [(row, column) for row, column in enumerate(best) if column >= 0]
    return list(_assign_greedily(scores))


def _assign_greedily(scores: Sequence[Sequence[float]]) -> Iterator[tuple[int, int]]:
    pairs = sorted(
        ((row, column) for row in range(len(scores)) for column in range(len(scores[0]))),
        key=lambda pair: -scores[pair[0]][pair[1]],
    )
    rows, columns = set[int](), set[int]()
    for row, column in pairs:
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            yield row, column


def score_number(tokens: Sequence[Token], index: int, parameter: Parameter) -> float:
    number = tokens[index]
    after = list(_words_after(tokens, index))
    score = sum(
        _evidence(token, parameter, 2.2, 0.9) * 0.85**distance
        for distance, token in enumerate(_words_before(tokens, index))
    )
    score += sum(
        _evidence(token, parameter, 2.0, 1.2) * 0.75**distance
        for distance, token in enumerate(after)
    )
    unit = unit_of(after[0].text) if after else ""
    if unit and parameter.units:
        score += 2.0 if unit in parameter.units else -1.5
    return score + _sign_score(number, parameter) + _type_score(number, parameter)


def _words_before(tokens: Sequence[Token], index: int) -> Iterator[Token]:
    """Yield the words before a number that may be about it, the nearest first."""
    for distance, token in enumerate(reversed(tokens[max(0, index - _MAX_BEFORE) : index])):
        if token.kind in ("number", "list") or token.text in ",;.?!)":
            return
        if token.lower == "and" and distance:
            return
        yield token


def _words_after(tokens: Sequence[Token], index: int) -> Iterator[Token]:
    for token in tokens[index + 1 : index + 1 + _MAX_AFTER]:
        if token.kind != "word" and token.text not in _IN_UNITS:
            return
        if token.lower == "and":
            return
        yield token


def _evidence(token: Token, parameter: Parameter, by_name: float, by_description: float) -> float:
    if parameter.is_named_by(token.stems):
        return by_name
    described = token.stems & parameter.description_stems
    return by_description if any(rarity(stem) > _MIN_RARITY for stem in described) else 0.0


def _sign_score(number: Token, parameter: Parameter) -> float:
    """Return what %, a currency's sign or "th" says about the parameter."""
    match number.unit:
        case "":
            return 0.0
        case "%":
            return 2.0 if parameter.all_stems & _RATE else -1.5
        case "th":
            return 0.0 if parameter.name_stems & _TIME else -1.0
        case _:
            return 1.5 if parameter.all_stems & _MONEY else -1.0


def _type_score(number: Token, parameter: Parameter) -> float:
    is_whole = isinstance(number.value, int)
    is_year = is_whole and 1000 <= number.value <= 2100 and not number.unit
    score = 0.0
    if parameter.name_stems & _TIME:
        score += 1.5 if is_year or number.unit == "th" else -1.0
    elif is_year:
        score -= 0.7
    if is_whole or number.unit == "%":
        return score
    return score + (-6.0 if parameter.kind == "integer" else 0.5)
