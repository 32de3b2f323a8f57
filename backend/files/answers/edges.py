"""Quote the first or the last sentences of files."""

from typing import Literal

from backend.files.answers.content import Place, QuotedAnswer, nothing_found
from backend.files.answers.protocol import Retrieval
from backend.files.answers.question import FileQuestion
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.passages import Passage
from backend.files.retrieval.sentences import split_sentences

_MAX_FILES = 20


async def quote_edges(
    question: FileQuestion, index: PassageIndex, edge: Literal["first", "last"], n: int
) -> QuotedAnswer:
    """Return the first or the last `n` sentences of each file, of the first 20 files."""
    counts = await index.count(question.ids)
    retrieval = Retrieval(
        strategy=edge,
        task=edge,
        files=len(question.ids),
        read=0,
        of=sum(counts.values()),
        unread=question.files.unread,
    )
    answer = QuotedAnswer(retrieval)
    files = [file_id for file_id in question.ids if file_id in counts]
    for file_id in files[:_MAX_FILES]:
        # Each passage has at least one sentence.
        passages = await index.read_edge(file_id, n, is_end=edge == "last")
        places = [place for passage in passages for place in _sentences(question, file_id, passage)]
        chosen = places[:n] if edge == "first" else places[-n:]
        if not chosen:  # it was deleted just now
            continue
        first, last = chosen[0].start, chosen[-1].end
        read = [one for one in passages if one.end > first and one.start < last]
        retrieval.read += len(read)
        retrieval.passages += [question.retrieved_passage(file_id, one) for one in read]
        if len(files) > 1:
            answer.start_paragraph()
            answer.write(f"{question.files.names[file_id]}:")
        for place in chosen:
            answer.quote(place)
    if not answer.citations:
        retrieval.found = False
        return nothing_found(retrieval)
    return answer


def _sentences(question: FileQuestion, file_id: str, passage: Passage) -> list[Place]:
    return [
        Place(
            file_id,
            question.files.names[file_id],
            passage.start + start,
            passage.start + end,
            passage.text[start:end],
            passage.page,
            passage.heading,
        )
        for start, end in split_sentences(passage.text)
    ]
