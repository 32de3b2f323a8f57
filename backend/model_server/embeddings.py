"""Ask the model server for embeddings: vectors of texts whose meanings are near if they are."""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from backend.errors import ModelServerError, SmolChatError
from backend.model_server.client import ModelServerClient

# Of the vectors that are known the largest has 8,192 numbers.
MAX_DIMENSIONS = 16_384


class _Embedding(BaseModel):
    index: Annotated[int, Field(ge=0)]
    embedding: Annotated[list[FiniteFloat], Field(min_length=1, max_length=MAX_DIMENSIONS)]


class _Response(BaseModel):
    data: list[_Embedding]


class EmbeddingModel:
    """A model that embeds texts, and what `/status` says about it."""

    def __init__(self, client: ModelServerClient, name: str) -> None:
        self._client = client
        self.name = name
        self.dimensions: int | None = None  # of its last vectors
        self.problem: str | None = None  # of the last request, if it failed
        self.waiting_files: int | None = None  # that have no vectors yet

    @property
    def key(self) -> str:
        """What its vectors have in common: others cannot be compared with them."""
        return f"{self.name} ({self.dimensions})"

    async def embed(self, texts: list[str], *, timeout_seconds: float) -> list[list[float]]:
        """Return the vector of each text; all have the same number of dimensions.

        Raises:
            SmolChatError: The model server refused, failed, or sent something else.
        """
        body = {"model": self.name, "input": texts, "encoding_format": "float"}
        try:
            raw = await self._client.post("embeddings", body, timeout_seconds=timeout_seconds)
            vectors = await asyncio.to_thread(_parse, raw, len(texts))
        except SmolChatError as error:
            self.problem = error.message
            raise
        self.dimensions, self.problem = len(vectors[0]), None
        return vectors


def _parse(raw: bytes, count: int) -> list[list[float]]:
    """Return the vectors of a response in the order of the texts.

    Raises:
        ModelServerError: They are not `count` usable vectors.
    """
    try:
        data = _Response.model_validate_json(raw).data
    except ValidationError:
        raise _invalid("no list of finite numbers") from None
    vectors = {item.index: item.embedding for item in data}
    if len(data) != count or vectors.keys() != set(range(count)):
        raise _invalid(f"{len(data)} vectors for {count} texts")
    if len({len(vector) for vector in vectors.values()}) > 1:
        raise _invalid("vectors of different lengths")
    if not all(any(vector) for vector in vectors.values()):
        raise _invalid("a vector of zeros")
    return [vectors[index] for index in range(count)]


def _invalid(problem: str) -> ModelServerError:
    return ModelServerError(
        f"The embedding model sent {problem}. Check that SMOLCHAT_EMBEDDING_MODEL is one."
    )
