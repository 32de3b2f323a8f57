"""The parts of files that a model summarizes one by one, each within its context."""

import asyncio
from collections.abc import Sequence

from backend.errors import InvalidRequestError
from backend.files.answers.protocol import MAX_CITATIONS, Retrieval, RetrievedPassage
from backend.files.answers.question import FileQuestion
from backend.files.answers.selection import PARAM
from backend.files.answers.tokens import estimate_tokens
from backend.files.retrieval.index import PassageIndex

MAX_PARTS = 64
_MAX_PASSAGES = 20_000  # that are read for them


def too_much_to_summarize(part_tokens: int) -> InvalidRequestError:
    return InvalidRequestError(
        f"The files are too long for a summary by this model: it would take more than {MAX_PARTS} "
        f"requests with {part_tokens:,} tokens each. Name fewer files.",
        param=PARAM,
    )


async def split_parts(
    question: FileQuestion, index: PassageIndex, max_tokens: int
) -> tuple[list[str], Retrieval]:
    """Return the texts of all files in parts of at most `max_tokens`, or one passage.

    Raises:
        InvalidRequestError: There would be too many parts.
    """
    if (total := sum((await index.count(question.ids)).values())) > _MAX_PASSAGES:
        raise too_much_to_summarize(max_tokens)
    by_file = await index.read_files(question.ids)
    texts, passages = list[str](), list[RetrievedPassage]()
    for file_id, name in question.files.names.items():
        if of_file := by_file.get(file_id):
            texts += [f"{name}:\n{of_file[0].text}", *(one.text for one in of_file[1:])]
            end = of_file[-1].end
            passages.append(RetrievedPassage(file_id=file_id, filename=name, start=0, end=end))
    parts = await asyncio.to_thread(join_texts, texts, max_tokens)
    if len(parts) > MAX_PARTS:
        raise too_much_to_summarize(max_tokens)
    retrieval = Retrieval(
        strategy="summarise",
        task="summarise",
        found=bool(parts),
        passages=passages[:MAX_CITATIONS],
        files=len(question.ids),
        read=total,
        of=total,
        unread=question.files.unread,
    )
    return parts, retrieval


def join_texts(texts: Sequence[str], max_tokens: int, separator: str = "") -> list[str]:
    """Join texts that follow each other, in parts of at most `max_tokens`, or of one text."""
    parts, part, tokens = list[str](), list[str](), 0
    for text in texts:
        count = estimate_tokens(text)
        if part and tokens + count > max_tokens:
            parts.append(separator.join(part))
            part, tokens = [], 0
        part.append(text)
        tokens += count
    return [*parts, separator.join(part)] if part else parts
