"""Read the whole text of files, if it is short enough to be sent to the model."""

import asyncio
from collections.abc import Sequence

from backend.errors import ContextLengthExceededError
from backend.files.answers.protocol import Retrieval, RetrievedPassage
from backend.files.answers.question import FileQuestion
from backend.files.answers.searched import suggest_task
from backend.files.answers.selection import PARAM
from backend.files.answers.tokens import estimate_tokens
from backend.files.repository import file_not_found
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.passages import Passage
from backend.files.retrieval.search import Hit
from backend.files.retrieval.sentences import split_sentences
from backend.files.storage import FileStorage

_MAX_BYTES_PER_TOKEN = 8  # a longer text has more tokens, whatever its language


async def read_whole(
    question: FileQuestion, storage: FileStorage, index: PassageIndex, max_tokens: int
) -> list[Hit] | None:
    """Return each file's text as one passage, or None if they have more than `max_tokens`.

    Raises:
        UploadedFileNotFoundError: A file has been deleted.
    """
    texts = await asyncio.to_thread(_read, question.ids, storage, max_tokens)
    if texts is None:
        return None
    passages = await index.read_files(question.ids)
    return [_hit(file_id, text, passages.get(file_id, [])) for file_id, text in texts]


def whole_retrieval(question: FileQuestion, hits: Sequence[Hit]) -> Retrieval:
    passages = sum(len(hit.passages) for hit in hits)
    return Retrieval(
        strategy="whole",
        passages=[_without_text(question.retrieved(hit)) for hit in hits],
        files=len(question.ids),
        read=passages,
        of=passages,
        suggested_task=suggest_task(question.text),
        unread=question.files.unread,
    )


def too_long(max_tokens: int) -> ContextLengthExceededError:
    return ContextLengthExceededError(
        f"The files are too long to be sent whole: half of the model's context is {max_tokens:,} "
        "tokens. Use the mode passages, or fewer files.",
        param=f"{PARAM}.mode",
    )


def _read(
    ids: Sequence[str], storage: FileStorage, max_tokens: int
) -> list[tuple[str, str]] | None:
    paths = [(file_id, storage.text_path(file_id)) for file_id in ids]
    texts, tokens, size = list[tuple[str, str]](), 0, 0
    for file_id, path in paths:
        try:
            size += path.stat().st_size
            if size > max_tokens * _MAX_BYTES_PER_TOKEN:
                return None
            with path.open(encoding="utf-8", newline="") as file:
                text = file.read()
        except FileNotFoundError:
            raise file_not_found(file_id) from None
        tokens += estimate_tokens(text)
        if tokens > max_tokens:
            return None
        texts.append((file_id, text))
    return texts


def _hit(file_id: str, text: str, passages: Sequence[Passage]) -> Hit:
    if not passages:
        raise file_not_found(file_id)
    return Hit(
        file=file_id,
        start=0,
        end=len(text),
        text=text,
        score=0.0,
        page=None,
        heading=None,
        sentences=tuple(split_sentences(text)),
        passages=passages,
    )


def _without_text(passage: RetrievedPassage) -> RetrievedPassage:
    return passage.model_copy(update={"text": None, "score": None})
