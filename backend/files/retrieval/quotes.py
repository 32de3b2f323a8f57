"""Pick the sentences of found passages that answer a question, without a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.retrieval.evidence import subject_words
from backend.files.retrieval.question import QuestionWord
from backend.files.retrieval.search import Hit, SearchResult
from backend.files.retrieval.windows import Statistics
from backend.files.retrieval.words import find_words

MAX_QUOTES = 3
_PASSAGES = 5
_RANK_WEIGHT = 0.3  # of each rank of the passage, beside the rarest word of the question
_MIN_SHARE = 0.8  # of the best sentence's score


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a file, word for word: `text` is its `start:end`."""

    file: str
    start: int
    end: int
    text: str
    page: int | None
    heading: str | None
    score: float


def pick_quotes(result: SearchResult) -> list[Quote]:
    """Return up to three sentences: files in the order of the passages, in each in its order."""
    hits = result.hits[:_PASSAGES]
    sentences = _score_sentences(hits, result.question, result.statistics)
    if not sentences:
        return []
    sentences.sort(key=lambda quote: -quote.score)
    limit = _MIN_SHARE * sentences[0].score
    best = [quote for quote in sentences if quote.score >= limit][:MAX_QUOTES]
    files = [hit.file for hit in hits]
    return sorted(best, key=lambda quote: (files.index(quote.file), quote.start))


def _score_sentences(
    hits: Sequence[Hit], question: Sequence[QuestionWord], statistics: Statistics
) -> list[Quote]:
    """Score the sentences that have a word of the subject.

    Words of the question before, in a follow-up, may stand anywhere in the passage.
    """
    weights = {word.stem: word.weight * statistics.idf(word.stem) for word in question}
    subject = {word.stem for word in subject_words(question)}
    bonus = _RANK_WEIGHT * max(weights.values(), default=0.0)
    quotes = []
    for rank, hit in enumerate(hits):
        texts = [hit.text[start - hit.start : end - hit.start] for start, end in hit.sentences]
        stems = [{word.stem for word in find_words(text)} & weights.keys() for text in texts]
        earlier = set[str]().union(*stems) - subject
        for (start, end), text, present in zip(hit.sentences, texts, stems, strict=True):
            if present & subject:
                matching = sum(weights[stem] for stem in (present & subject) | earlier)
                score = matching + bonus * (len(hits) - rank)
                passage = hit.passage_at(start)
                quotes.append(
                    Quote(hit.file, start, end, text, passage.page, passage.heading, score)
                )
    return quotes
