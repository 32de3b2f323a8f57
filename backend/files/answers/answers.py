"""Answer questions from files: by what they say, or by what a model is given to read."""

from dataclasses import dataclass
from typing import Literal

from backend.files.answers.content import QuotedAnswer
from backend.files.answers.edges import quote_edges
from backend.files.answers.mentions import MentionFinder
from backend.files.answers.protocol import Retrieval, Strategy
from backend.files.answers.question import FileQuestion
from backend.files.answers.searched import SearchedQuestion, search_question
from backend.files.answers.selection import SelectedFiles, select_files
from backend.files.answers.summary_parts import split_parts
from backend.files.answers.whole_files import read_whole, whole_retrieval
from backend.files.repository import FileRepository
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.search import BUDGET_WORDS, Hit, PassageSearch
from backend.files.storage import FileStorage
from backend.files.vector_stores.repository import VectorStoreRepository
from backend.protocol import FileSearchOptions


@dataclass(frozen=True, kw_only=True)
class FileAnswers:
    """What the chat asks of files."""

    files: FileRepository
    stores: VectorStoreRepository
    storage: FileStorage
    index: PassageIndex
    search: PassageSearch
    mentions: MentionFinder

    async def select(self, options: FileSearchOptions) -> SelectedFiles:
        """Return the files of a request.

        Raises:
            SmolChatError: They cannot be searched.
        """
        return await select_files(
            options.file_ids, options.vector_store_ids, files=self.files, stores=self.stores
        )

    async def find_passages(
        self,
        question: FileQuestion,
        strategy: Strategy,
        *,
        max_words: int = BUDGET_WORDS,
        max_tokens: int | None = None,
    ) -> SearchedQuestion:
        return await search_question(
            question,
            strategy,
            search=self.search,
            index=self.index,
            max_words=max_words,
            max_tokens=max_tokens,
        )

    async def read_whole(
        self, question: FileQuestion, max_tokens: int
    ) -> tuple[list[Hit], Retrieval] | None:
        """Return the texts of all files, or None if they have more than `max_tokens`.

        Raises:
            UploadedFileNotFoundError: A file has been deleted.
        """
        hits = await read_whole(question, self.storage, self.index, max_tokens)
        return None if hits is None else (hits, whole_retrieval(question, hits))

    async def quote_edges(
        self, question: FileQuestion, edge: Literal["first", "last"], n: int
    ) -> QuotedAnswer:
        return await quote_edges(question, self.index, edge, n)

    async def find_mentions(
        self, question: FileQuestion, task: Literal["mentions", "count"], phrase: str
    ) -> QuotedAnswer:
        """Return the answer that lists or counts all mentions of a phrase.

        Raises:
            SmolChatError: The files have too much text, or one has been deleted.
        """
        return await self.mentions.answer(question, task, phrase)

    async def split_parts(
        self, question: FileQuestion, max_tokens: int
    ) -> tuple[list[str], Retrieval]:
        """Return the texts of all files, in parts that a model summarizes.

        Raises:
            InvalidRequestError: There would be too many.
        """
        return await split_parts(question, self.index, max_tokens)
