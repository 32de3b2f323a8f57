"""Find the sentence of the passages that is most similar to a sentence of an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.retrieval.question import content_stems
from backend.files.retrieval.search import Hit
from backend.files.retrieval.sentences import split_sentences

# Of the words of a sentence that the question does not have, so many are in a similar one.
_MIN_SHARE = 0.5
_MIN_WORDS = 2


@dataclass(frozen=True, slots=True)
class Similarity:
    """A sentence of an answer, and a similar one of a passage. That proves nothing."""

    answer_start: int
    answer_end: int
    hit: Hit
    start: int
    end: int
    share: float  # of the answer's words


def find_similar(answer: str, question: str, hits: Sequence[Hit]) -> tuple[list[Similarity], int]:
    """Return the sentences of an answer that have a similar one in the passages, and their number.

    Words of the question do not count: invented sentences have these too.
    """
    asked = content_stems(question)
    candidates = [
        (hit, start, end, content_stems(hit.text[start - hit.start : end - hit.start]))
        for hit in hits
        for start, end in hit.sentences
    ]
    similarities = []
    sentences = split_sentences(answer)
    for first, last in sentences:
        own = content_stems(answer[first:last]) - asked
        best = max(
            (
                Similarity(first, last, hit, start, end, len(own & stems) / max(len(own), 1))
                for hit, start, end, stems in candidates
                if len(own & stems) >= min(_MIN_WORDS, len(own))
            ),
            key=lambda similarity: similarity.share,
            default=None,
        )
        if own and best and best.share >= _MIN_SHARE:
            similarities.append(best)
    return similarities, len(sentences)
