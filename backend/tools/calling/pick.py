"""Pick the functions that match a question best, by BM25 over their texts."""

from collections import Counter
from collections.abc import Sequence

from backend.tools.calling.function import FunctionSpec, FunctionWords
from backend.tools.calling.words import rarity, stems

# A word of the name says more than one of a parameter's description.
NAME_WEIGHT, DESCRIPTION_WEIGHT, PARAMETER_WEIGHT = 3.0, 2.0, 1.0
SATURATION = 1.2  # BM25's k1
LENGTH_INFLUENCE = 0.5  # BM25's b
CUE_SCORE = 1_000.0  # above every other: a cue is declared for exactly such questions


def pick_functions(
    question: str, functions: Sequence[FunctionSpec], words: Sequence[FunctionWords], count: int = 1
) -> list[int]:
    """Return the indices of the `count` functions that fit a question best, the best first."""
    counts = [_weighted_counts(each) for each in words]
    mean_length = sum(sum(each.values()) for each in counts) / max(1, len(counts)) or 1.0
    question_stems = set(stems(question))
    scores = [
        _bm25(question_stems, each, mean_length) + CUE_SCORE * function.has_cue(question)
        for function, each in zip(functions, counts, strict=True)
    ]
    return sorted(range(len(scores)), key=lambda index: -scores[index])[:count]


def _weighted_counts(words: FunctionWords) -> Counter[str]:
    counts = Counter[str]()
    for weight, texts in (
        (NAME_WEIGHT, words.name),
        (DESCRIPTION_WEIGHT, words.description),
        (PARAMETER_WEIGHT, words.parameters),
    ):
        for word in texts:
            counts[word] += weight  # type: ignore[assignment]  # a Counter adds floats as well
    return counts


def _bm25(question: set[str], counts: Counter[str], mean_length: float) -> float:
    length = sum(counts.values()) / mean_length
    damping = SATURATION * (1 - LENGTH_INFLUENCE + LENGTH_INFLUENCE * length)
    return sum(
        rarity(word) * counts[word] * (SATURATION + 1) / (counts[word] + damping)
        for word in question & counts.keys()
    )
