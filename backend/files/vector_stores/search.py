"""Search the files of a collection, as OpenAI's clients ask for it."""

from backend.files.retrieval.search import Hit, PassageSearch
from backend.files.retrieval.search import SearchResult as Passages
from backend.files.vector_stores.links import StoreFile
from backend.files.vector_stores.protocol import (
    SearchContent,
    SearchRequest,
    SearchResult,
    SearchResults,
)
from backend.files.vector_stores.repository import VectorStoreRepository


class VectorStoreSearch:
    def __init__(self, stores: VectorStoreRepository, search: PassageSearch) -> None:
        self._stores = stores
        self._search = search

    async def run(self, store_id: str, request: SearchRequest) -> SearchResults:
        """Return the best passages of the collection's files that the filters let through.

        Raises:
            VectorStoreNotFoundError: There is no such collection.
        """
        files = {
            file.file: file
            for file in await self._stores.searchable_files(store_id)
            if request.filters is None or request.filters.matches(file.attributes or {})
        }
        passages = await self._search.search(
            " ".join(request.queries), list(files), max_results=request.max_num_results
        )
        options = request.ranking_options
        threshold = (options.score_threshold if options else None) or 0.0
        results = [_result(hit, files[hit.file], passages) for hit in passages.hits]
        return SearchResults(
            search_query=request.queries,
            data=[result for result in results if result.score >= threshold],
        )


def _result(hit: Hit, file: StoreFile, passages: Passages) -> SearchResult:
    content = SearchContent(
        text=hit.text, start=hit.start, end=hit.end, page=hit.page, heading=hit.heading
    )
    return SearchResult(
        file_id=hit.file,
        filename=file.filename,
        score=_relevance(hit.score, passages),
        attributes=file.attributes or {},
        content=[content],
    )


def _relevance(score: float, passages: Passages) -> float:
    """Return a BM25 score as a number from 0 to 1: half is what all words once would score."""
    idf = sum(passages.statistics.idf(word.stem) * word.weight for word in passages.question)
    return round(score / (score + idf), 4) if score > 0 else 0.0
