"""Ask the model server how relevant texts are to a question: `/v1/rerank`.

llama.cpp's server, Cohere and Jina answer in the same form.
"""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from backend.errors import ModelServerError, SmolChatError
from backend.model_server.client import ModelServerClient


class _Result(BaseModel):
    index: Annotated[int, Field(ge=0)]
    relevance_score: FiniteFloat


class _Response(BaseModel):
    results: list[_Result]


class RerankModel:
    """A model that reranks texts, and what `/status` says about it."""

    def __init__(self, client: ModelServerClient, name: str) -> None:
        self._client = client
        self.name = name
        self.problem: str | None = None  # of the last request, if it failed

    async def rank(self, query: str, texts: list[str], *, timeout_seconds: float) -> list[int]:
        """Return the indices of all texts, the most relevant first.

        Raises:
            SmolChatError: The model server refused, failed, or sent something else.
        """
        body = {"model": self.name, "query": query, "documents": texts, "top_n": len(texts)}
        try:
            raw = await self._client.post("rerank", body, timeout_seconds=timeout_seconds)
            order = await asyncio.to_thread(_parse, raw, len(texts))
        except SmolChatError as error:
            self.problem = error.message
            raise
        self.problem = None
        return order


def _parse(raw: bytes, count: int) -> list[int]:
    """Return the order of `count` texts.

    Raises:
        ModelServerError: The response does not have one score for each text.
    """
    try:
        results = _Response.model_validate_json(raw).results
    except ValidationError:
        results = []
    if sorted(result.index for result in results) != list(range(count)):
        raise ModelServerError(
            "The rerank model did not send a finite score for each text. Check that "
            "SMOLCHAT_RERANK_MODEL is one."
        )
    return [result.index for result in sorted(results, key=lambda each: -each.relevance_score)]
