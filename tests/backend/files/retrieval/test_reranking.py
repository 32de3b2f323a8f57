"""A model that reranks puts passages in order; without its answer they stay as they are."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.database.database import Database, open_database
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.reranking import RERANKED_WINDOWS, Reranking
from backend.files.retrieval.search import PassageSearch, SearchResult
from backend.model_server.client import open_model_server
from backend.model_server.reranking import RerankModel
from backend.settings import Settings
from tests.support.api_server import api_client_with, settings_for
from tests.support.embeddings import error_reply
from tests.support.fake_model_server import FakeModelServer, Reply
from tests.support.retrieval import TextDocument

pytestmark = pytest.mark.anyio

ROUTE = "/engines/llama.cpp/v1/rerank"
TEXT = "".join(f"The lamp number {n} burns oil. {'Wood. ' * 150}\n\n" for n in range(30))
QUESTION = "What does the lamp burn?"


def results_reply(results: list[Any]) -> Reply:
    return Reply(chunks=[json.dumps({"results": results}).encode()])


def scores(*numbers: float) -> Reply:
    return results_reply([{"index": n, "relevance_score": x} for n, x in enumerate(numbers)])


def prefer_last(body: dict[str, Any]) -> Reply:
    return scores(*range(len(body["documents"])))


async def search(
    database: Database, reranking: Reranking | None, *, max_results: int = 10
) -> SearchResult:
    passages = PassageIndex(database)
    await passages.add("lamps", TextDocument(TEXT))
    found = PassageSearch(passages, None, reranking)
    return await found.search(QUESTION, ["lamps"], max_results=max_results, max_words=10_000)


async def test_best_of_the_first_passages_by_the_model_come_first(
    settings: Settings, model_server: FakeModelServer
) -> None:
    model_server.posted_routes[ROUTE] = prefer_last
    async with open_database(settings) as database, open_model_server(settings) as client:
        without = await search(database, None, max_results=3)
        result = await search(database, Reranking(RerankModel(client, "reranker")), max_results=3)
    [request] = [request for request in model_server.requests if request.path == ROUTE]
    assert (request.body["model"], request.body["query"]) == ("reranker", QUESTION)
    documents = request.body["documents"]
    assert 10 < len(documents) == request.body["top_n"] <= RERANKED_WINDOWS
    assert len(result.hits) == 3
    for hit, document in zip(result.hits, reversed(documents), strict=False):
        assert document in hit.text
    assert result.evidence == without.evidence


FAILURES: dict[str, Callable[[dict[str, Any]], Reply]] = {
    "500": lambda _: error_reply(500),
    "404": lambda _: error_reply(404),
    "no JSON": lambda _: Reply(chunks=[b"<html>"]),
    "no list": lambda _: Reply(chunks=[b"{}"]),
    "too few": lambda _: scores(1.0),
    "twice": lambda body: results_reply(
        [{"index": 0, "relevance_score": 1.0}] * len(body["documents"])
    ),
    "NaN": lambda body: scores(*[float("nan")] * len(body["documents"])),
    "slow": lambda _: Reply(delay_seconds=5),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
async def test_passages_stay_as_they_are_if_the_model_fails(
    settings: Settings, model_server: FakeModelServer, answer: Callable[[dict[str, Any]], Reply]
) -> None:
    model_server.posted_routes[ROUTE] = answer
    async with open_database(settings) as database, open_model_server(settings) as client:
        model = RerankModel(client, "reranker")
        reranking = Reranking(model, timeout_seconds=1.0)
        assert await search(database, reranking) == await search(database, None)
        assert model.problem
        model_server.posted_routes[ROUTE] = prefer_last
        await search(database, reranking)  # without asking again at once
    assert len([request for request in model_server.requests if request.path == ROUTE]) == 1


async def test_status_names_the_model(model_server: FakeModelServer, settings: Settings) -> None:
    options = {"data_dir": settings.data_dir, "rerank_model": "reranker"}
    async with api_client_with(model_server, **options) as api:
        status = (await api.get("/status")).json()
    assert status["reranking"] == {"model": "reranker", "problem": None}
    assert settings_for(model_server).rerank_model == ""
