"""Search files for an answer: the passages to read, and whether they answer the question at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.files.answers.content import Place, QuotedAnswer, nothing_found
from backend.files.answers.protocol import Retrieval, Strategy, SuggestedTask
from backend.files.answers.question import FileQuestion
from backend.files.answers.tokens import estimate_tokens
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.questions import recognize
from backend.files.retrieval.quotes import Quote, pick_quotes
from backend.files.retrieval.search import BUDGET_WORDS, Hit, PassageSearch, SearchResult

_WORDS_PER_PASSAGE = BUDGET_WORDS // 5


@dataclass(frozen=True)
class SearchedQuestion:
    """A question with the passages that were found for it, in reading order."""

    question: FileQuestion
    result: SearchResult
    hits: list[Hit]
    retrieval: Retrieval

    @property
    def is_answered(self) -> bool:
        return self.retrieval.found

    def quotes(self) -> QuotedAnswer:
        """Return up to three sentences that answer the question, or that the files do not say."""
        if not self.is_answered:
            return nothing_found(self.retrieval)
        answer = QuotedAnswer(self.retrieval)
        quotes = dict[str, Quote]()
        for quote in pick_quotes(self.result):
            quotes.setdefault(" ".join(quote.text.split()), quote)
        for quote in quotes.values():
            filename = self.question.files.names[quote.file]
            place = Place(
                quote.file,
                filename,
                quote.start,
                quote.end,
                quote.text,
                quote.page,
                quote.heading,
            )
            answer.quote(place)
        return answer


async def search_question(
    question: FileQuestion,
    strategy: Strategy,
    *,
    search: PassageSearch,
    index: PassageIndex,
    max_words: int,
    max_tokens: int | None = None,
) -> SearchedQuestion:
    """Find the passages for a question, which hold at most `max_words` and tokens together."""
    result = await search.search(
        question.text,
        question.ids,
        max_results=max(max_words // _WORDS_PER_PASSAGE, 1),
        max_words=max_words,
        previous_question=question.previous,
    )
    passages = sum((await index.count(question.ids)).values())
    fitting = result.hits if max_tokens is None else _fitting(result.hits, max_tokens)
    hits = question.in_reading_order(fitting)
    is_found = bool(hits) and result.evidence.is_sufficient
    nearest = question.retrieved(result.hits[0]) if result.hits and not is_found else None
    retrieval = Retrieval(
        strategy=strategy,
        found=is_found,
        passages=[question.retrieved(hit) for hit in hits] if is_found else [],
        files=len(question.ids),
        read=await index.count_in([(hit.file, hit.start, hit.end) for hit in hits]),
        of=passages,
        suggested_task=suggest_task(question.text),
        nearest=nearest,
        unread=question.files.unread,
    )
    return SearchedQuestion(question, result, hits, retrieval)


def _fitting(hits: Sequence[Hit], max_tokens: int) -> list[Hit]:
    """Return the best hits for which there is room, but at least the first."""
    chosen, left = list[Hit](), max_tokens
    for hit in hits:
        left -= estimate_tokens(hit.text)
        if chosen and left < 0:
            break
        chosen.append(hit)
    return chosen


def suggest_task(question: str) -> SuggestedTask | None:
    """Return what a question about all of the text seems to ask for, or None."""
    recognized = recognize(question)
    if recognized is None:
        return None
    return SuggestedTask(task=recognized.task.value, phrase=recognized.phrase, n=recognized.n)
