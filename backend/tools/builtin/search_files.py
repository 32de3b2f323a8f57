"""Search in uploaded files: in those of the request, or in all."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from backend.files.lifespan import FileState
from backend.files.retrieval.search import Hit
from backend.tools.function_tool import function_tool
from backend.tools.tool import Tool

NAME = "search_files"
_MAX_FILES = 10_000  # the newest, without files of the request
_NO_FILES = "There are no files to search."
_NOTHING = "The files do not say: no passage has these words."
_UNSURE = "No passage matches well; these come nearest.\n\n"
_MAX_QUERY = 1000  # characters
_ASKED = r"\b(?:in|from|according to|what|which|search|read|does|do)\b"
_FILES = r"\b(?:my|the|these|this|uploaded) (?:\w+ )?(?:files?|documents?|pdfs?|reports?)\b"
_CUES = (f"{_ASKED}.{{0,200}}?{_FILES}",)
# If the user has named files, an ordinary question is about them.
_QUESTION = r"^\s*(?:who|whose|when|where|which|what|how|why|does|did|do|is|was|are|were)\b"


class FileSearchTools:
    """The tool, as long as there are files that can be searched."""

    def __init__(self, files: FileState) -> None:
        self._files = files

    def tools(self) -> Sequence[Tool]:
        return [search_files_tool(self._files)] if self._files.storage.has_texts() else []


def search_files_tool(files: FileState, names: Mapping[str, str] | None = None) -> Tool:
    """Return the tool that searches the files with these names by their ids, by default all."""
    cues = _CUES if names is None else (*_CUES, _QUESTION)

    def extract_arguments(question: str) -> dict[str, Any] | None:
        query = question.strip()[:_MAX_QUERY]
        is_search = any(re.search(cue, query, re.IGNORECASE) for cue in cues)
        return {"query": query} if is_search else None

    @function_tool(
        title="Search files",
        read_only=True,
        seconds=20,
        cues=cues,
        extract_arguments=extract_arguments,
    )
    async def search_files(
        query: Annotated[
            str,
            Field(
                min_length=1,
                max_length=_MAX_QUERY,
                description="The question, or the words to look for.",
            ),
        ],
        max_results: Annotated[
            int, Field(ge=1, le=10, description="How many passages to return.")
        ] = 5,
    ) -> str:
        """Search the user's uploaded files for passages that answer a question.

        Returns the passages with their file and page.
        """
        searched = names
        if searched is None:
            searched = await files.repository.searchable(None, limit=_MAX_FILES)
        if not searched:
            return _NO_FILES
        result = await files.search.search(query, list(searched), max_results=max_results)
        if not result.hits:
            return _NOTHING
        prefix = "" if result.evidence.is_sufficient else _UNSURE
        hits = enumerate(result.hits, 1)
        return prefix + "\n\n".join(_passage(number, hit, searched) for number, hit in hits)

    return search_files


def _passage(number: int, hit: Hit, names: Mapping[str, str]) -> str:
    page = "" if hit.page is None else f", page {hit.page}"
    heading = f", {hit.heading}" if hit.heading else ""
    place = f"characters {hit.start} to {hit.end}"
    return f"[{number}] {names[hit.file]}{page}{heading} ({place}):\n{hit.text.strip()}"
