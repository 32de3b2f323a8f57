"""Search the files of a collection, as OpenAI's clients ask for it."""

from collections.abc import Mapping
from types import MappingProxyType

from backend.files.retrieval.search import Hit, PassageSearch
from backend.files.retrieval.search import SearchResult as Passages
from backend.files.vector_stores.protocol import (
    Attributes,
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
        files = [
            file
            for file in await self._stores.searchable_files(store_id)
            if request.filters is None or request.filters.matches(file.attributes or {})
        ]
        names = {file.file: file.filename for file in files}
        attributes = {file.file: file.attributes for file in files}
        return await self.run_in_files(names, request, attributes)

    async def run_in_files(
        self,
        names: Mapping[str, str],
        request: SearchRequest,
        attributes: Mapping[str, Attributes] = MappingProxyType({}),
    ) -> SearchResults:
        """Return the best passages of files, given their names and attributes by their ids."""
        passages = await self._search.search(
            " ".join(request.queries), list(names), max_results=request.max_num_results
        )
        options = request.ranking_options
        threshold = (options.score_threshold if options else None) or 0.0
        results = [
            _result(hit, names[hit.file], attributes.get(hit.file), passages)
            for hit in passages.hits
        ]
        return SearchResults(
            search_query=request.queries,
            data=[result for result in results if result.score >= threshold],
        )


def _result(hit: Hit, filename: str, attributes: Attributes, passages: Passages) -> SearchResult:
    content = SearchContent(
        text=hit.text, start=hit.start, end=hit.end, page=hit.page, heading=hit.heading
    )
    return SearchResult(
        file_id=hit.file,
        filename=filename,
        score=_relevance(hit.score, passages),
        attributes=attributes or {},
        content=[content],
    )


def _relevance(score: float, passages: Passages) -> float:
    """Return a BM25 score as a number from 0 to 1: half is what all words once would score."""
    idf = sum(passages.statistics.idf(word.stem) * word.weight for word in passages.question)
    return round(score / (score + idf), 4) if score > 0 else 0.0
