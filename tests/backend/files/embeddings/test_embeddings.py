"""Embedding passages, searching them by meaning, and going on without that, in both databases."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from backend.database.database import Database
from backend.database.tables import files, passage_vectors, passages
from backend.database.types import utc_now
from backend.files.embeddings.index import VectorIndex
from backend.files.embeddings.indexer import VectorIndexer
from backend.files.embeddings.search import VectorSearch
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.search import PassageSearch
from backend.model_server.client import open_model_server
from backend.model_server.embeddings import EmbeddingModel
from tests.support.api_server import settings_for
from tests.support.embeddings import (
    embed_texts,
    embedded_texts,
    embeddings_reply,
    error_reply,
    serve_embeddings,
    vector_of,
)
from tests.support.fake_model_server import FakeModelServer, Reply
from tests.support.retrieval import TextDocument

pytestmark = pytest.mark.anyio

HOSPITAL = "The surgeon of the village was called Ada Blum. " * 3
HARBOUR = "A boat leaves the harbour at noon. " * 3
QUESTION = "Which physician?"  # no word of which is in a text
Answer = Callable[[dict[str, Any]], Reply]


class Embedded:
    """A database with files, and a model server that embeds them."""

    def __init__(self, database: Database, model_server: FakeModelServer) -> None:
        self.database = database
        self.passages = PassageIndex(database)
        self.index = VectorIndex(database)
        self._model_server = model_server

    async def add(self, name: str, text: str) -> None:
        now = utc_now()
        row = {"id": name, "filename": name, "purpose": "user_data", "bytes": 1, "sha256": name}
        row |= {"created_at": now, "touched_at": now, "status": "processed"}
        async with self.database.write_transaction() as connection:
            await connection.execute(insert(files), row | {"progress": 1.0, "attempts": 1})
        await self.passages.add(name, TextDocument(text))

    @asynccontextmanager
    async def model(self, name: str = "embedder") -> AsyncIterator[EmbeddingModel]:
        async with open_model_server(settings_for(self._model_server)) as client:
            yield EmbeddingModel(client, name)

    @asynccontextmanager
    async def indexing(self, model: EmbeddingModel, **options: float) -> AsyncIterator[None]:
        times = {"poll_seconds": 0.01, "retry_seconds": 0.01} | options
        async with VectorIndexer(self.index, model, **times).running():
            yield

    async def embed_all(self, name: str = "embedder") -> None:
        async with self.model(name) as model, self.indexing(model):
            await until(lambda: model.waiting_files == 0)

    async def search(self, question: str = QUESTION, **options: float) -> list[str]:
        """Return the files that are found, by words and by meaning."""
        async with self.model() as model:
            search = PassageSearch(self.passages, VectorSearch(self.index, model, **options))
            names = await self.names()
            return [hit.file for hit in (await search.search(question, names)).hits]

    async def names(self) -> list[str]:
        async with self.database.read_transaction() as connection:
            query = select(files.c.id).order_by(files.c.id)
            return list((await connection.execute(query)).scalars())

    async def count(self, condition: Any = True) -> int:
        query = select(func.count()).select_from(passage_vectors).where(condition)
        async with self.database.read_transaction() as connection:
            return int((await connection.execute(query)).scalar_one())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


@pytest.fixture
async def embedded(database: Database, model_server: FakeModelServer) -> Embedded:
    async with database.write_transaction() as connection:  # Postgres has those of the last test
        for table in (files, passages):
            await connection.execute(delete(table))
    serve_embeddings(model_server)
    embedded = Embedded(database, model_server)
    await embedded.add("harbour", HARBOUR)
    await embedded.add("hospital", HOSPITAL)
    return embedded


async def test_passage_without_a_word_of_the_question_is_found_by_its_meaning(
    embedded: Embedded,
) -> None:
    assert await embedded.search() == []
    await embedded.embed_all()
    assert (await embedded.search())[0] == "hospital"
    by_words = PassageSearch(embedded.passages)
    assert (await by_words.search(QUESTION, ["harbour", "hospital"])).hits == []


async def test_meaning_changes_nothing_about_whether_the_files_answer(embedded: Embedded) -> None:
    await embedded.embed_all()
    async with embedded.model() as model:
        both = PassageSearch(embedded.passages, VectorSearch(embedded.index, model))
        result = await both.search(QUESTION, ["harbour", "hospital"])
    assert result.hits
    assert not result.evidence.is_sufficient
    assert result.hits[0].text == HOSPITAL[result.hits[0].start : result.hits[0].end]


async def test_many_short_files_are_found_by_meaning_too(embedded: Embedded) -> None:
    for n in range(30):
        await embedded.add(f"note{n}", f"Note {n}: the {'wage' if n == 7 else 'wood'} was low.")
    assert await embedded.search("Salary?") == []
    await embedded.embed_all()
    assert (await embedded.search("Salary?"))[0] == "note7"


async def test_vectors_go_with_their_file(embedded: Embedded) -> None:
    await embedded.embed_all()
    assert await embedded.count() == 2
    await embedded.passages.remove("hospital")
    assert await embedded.count() == 1


async def test_embedding_goes_on_after_a_restart_with_what_is_missing(
    embedded: Embedded, model_server: FakeModelServer
) -> None:
    await embedded.add("long", "".join(f"Sentence {n} is about wood. " * 20 for n in range(40)))

    def stop_after_one_batch(body: dict[str, Any]) -> Reply:
        is_over = len(embedded_texts(model_server)) > 30
        return error_reply(503) if is_over else embed_texts(body)

    serve_embeddings(model_server, stop_after_one_batch)
    async with embedded.model() as model, embedded.indexing(model):
        await until(lambda: model.problem is not None)
    stored = await embedded.count()
    assert 0 < stored < 30
    model_server.requests.clear()
    serve_embeddings(model_server)
    await embedded.embed_all()
    total = await embedded.count()
    assert len(embedded_texts(model_server)) == total - stored + 1  # and the probe
    model_server.requests.clear()
    await embedded.embed_all()
    assert embedded_texts(model_server) == ["passage"]


@pytest.mark.parametrize("changed", ["name", "dimensions"])
async def test_another_model_makes_vectors_anew(
    embedded: Embedded, model_server: FakeModelServer, changed: str
) -> None:
    await embedded.embed_all()
    if changed == "dimensions":
        serve_embeddings(
            model_server,
            lambda body: embeddings_reply([[*vector_of(text), 0.5] for text in body["input"]]),
        )
    name = "other" if changed == "name" else "embedder"
    await embedded.embed_all(name)
    key = f"{name} ({6 if changed == 'dimensions' else 5})"
    assert await embedded.count(passage_vectors.c.embedded_by == key) == 2 == await embedded.count()


def _bad_number(number: str) -> Reply:
    return Reply(chunks=[b'{"data":[{"index":0,"embedding":[%s,1]}]}' % number.encode()])


FAILURES: dict[str, Answer] = {
    "500": lambda _: error_reply(500),
    "404": lambda _: error_reply(404),
    "no JSON": lambda _: Reply(chunks=[b"<html>"]),
    "no list": lambda _: Reply(chunks=[b"{}"]),
    "NaN": lambda _: _bad_number("NaN"),
    "infinite": lambda _: _bad_number("1e999"),
    "zeros": lambda body: embeddings_reply([[0.0, 0.0]] * len(body["input"])),
    "none": lambda _: embeddings_reply([]),
    "too many": lambda body: embeddings_reply([[1.0]] * (len(body["input"]) + 1)),
    "empty": lambda body: embeddings_reply([[]] * len(body["input"])),
    "cut": lambda body: replace(embed_texts(body), end="cut"),
    "slow": lambda body: replace(embed_texts(body), delay_seconds=5),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
async def test_failure_is_told_and_retried_and_search_is_by_words(
    embedded: Embedded, model_server: FakeModelServer, answer: Answer
) -> None:
    serve_embeddings(model_server, answer)
    async with embedded.model() as model, embedded.indexing(model, timeout_seconds=0.3):
        await until(lambda: model.problem is not None)
        assert await embedded.search("harbour", timeout_seconds=0.1) == ["harbour"]
        serve_embeddings(model_server)
        await until(lambda: model.waiting_files == 0)
        assert model.problem is None
    assert (await embedded.search())[0] == "hospital"


@pytest.mark.parametrize("refused", ["some", "vectors of another length"])
async def test_text_that_the_model_does_not_take_is_cut_or_left_out(
    embedded: Embedded, model_server: FakeModelServer, refused: str
) -> None:
    await embedded.add("unusable", "Unusable. " * 60)
    await embedded.add("lengthy", f"A car is here. {'Wood is here. ' * 40}")

    def answer(body: dict[str, Any]) -> Reply:
        texts = body["input"]
        if any("Unusable" in text or len(text) > 500 for text in texts):
            return (
                error_reply(400, "input is too large")
                if refused == "some"
                else (embeddings_reply([[1.0] * (n + 1) for n in range(len(texts) + 1)]))
            )
        return embed_texts(body)

    serve_embeddings(model_server, answer)
    await embedded.embed_all()
    assert await embedded.count(func.length(passage_vectors.c.vector) == 0) == 1
    assert (await embedded.search("Which automobile?"))[0] == "lengthy"


async def test_question_that_failed_does_not_make_the_next_one_wait(
    embedded: Embedded, model_server: FakeModelServer
) -> None:
    await embedded.embed_all()
    async with embedded.model() as model:
        search = VectorSearch(embedded.index, model)
        serve_embeddings(model_server, lambda _: error_reply(500))
        assert await search.find(QUESTION, "", ["hospital"], 5) == []
        serve_embeddings(model_server)
        model_server.requests.clear()
        assert await search.find(QUESTION, "", ["hospital"], 5) == []
        assert embedded_texts(model_server) == []


async def test_follow_up_is_about_the_subject_of_the_previous_question(embedded: Embedded) -> None:
    await embedded.embed_all()
    async with embedded.model() as model:
        search = VectorSearch(embedded.index, model)
        ids = await search.find("And which?", "Which vessel?", ["harbour", "hospital"], 1)
    assert [stored.file for stored in await embedded.passages.read(ids)] == ["harbour"]
