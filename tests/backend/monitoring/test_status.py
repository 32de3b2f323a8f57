"""What the API tells of itself: true, bounded in time, and without a secret."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import FILE_NAME, database_location, open_database
from backend.main import create_app
from backend.monitoring.statistics import DatabaseStatistics
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer, Reply, stream_of
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio

SECRET = "geheimnis"  # noqa: S105  # a word to look for
Json = dict[str, Any]


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        key = settings.api_key.get_secret_value()
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://localhost:8000",
            headers={"Authorization": f"Bearer {key}"},
        ) as client:
            yield client


async def told(api: httpx.AsyncClient) -> Json:
    response = await api.get("/status")
    assert response.status_code == 200
    found: Json = response.json()
    return found


async def answered(api: httpx.AsyncClient, model_server: FakeModelServer, *, words: int) -> None:
    conversation = (await api.post("/conversations", json={})).json()["id"]
    model_server.replies.append(stream_of(["a"] * words))
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    await api.post("/chat", json=body | {"smolchat": {"conversation": conversation}})


async def test_what_runs_where_is_told(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, settings: Settings
) -> None:
    found = await told(api_client)
    health = (await api_client.get("/healthz")).json()
    assert found["model_server"] == health["model_server"] | {"context_size": None}
    assert found["version"] == health["version"]
    assert found["python"].startswith("3.")
    assert {"fastapi", "pydantic", "uvicorn", "sqlalchemy", "aiohttp"} <= set(found["packages"])
    started = datetime.fromisoformat(found["started_at"])
    assert 0 <= (datetime.now(UTC) - started).total_seconds() < 60
    assert (found["running"], found["waiting"]) == (0, 0)
    assert found["settings"]["MODEL_ID"] == MODEL_ID
    assert found["settings"]["SMOLCHAT_MAX_TOKENS"] == settings.max_tokens
    assert found["settings"]["DMR_BASE_URL"] == model_server.base_url


async def test_the_context_is_told_where_the_model_server_tells_it(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    entry = {"id": "/models/tiny.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}
    model_server.models = Reply(pieces=[json.dumps({"data": [entry]}).encode()])
    found = (await told(api_client))["model_server"]
    assert (found["name"], found["context_size"]) == ("llama.cpp", 2048)


async def test_what_is_kept_is_counted(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, tmp_path: Path
) -> None:
    await answered(api_client, model_server, words=3)
    await answered(api_client, model_server, words=5)
    found = await told(api_client)
    store = found["store"]
    assert (store["kind"], store["place"]) == ("sqlite", str(tmp_path / FILE_NAME))
    assert (store["conversations"], store["messages"], store["problem"]) == (2, 4, None)
    assert store["bytes"] > (tmp_path / FILE_NAME).stat().st_size  # and what is written ahead
    assert [answer["receipt"]["completion_tokens"] for answer in found["recent"]] == [5, 3]
    assert found["recent"][0]["model"] == MODEL_ID
    assert found["recent"][0]["ended_at"] > found["recent"][1]["ended_at"]


async def test_only_what_was_finished_is_told_and_no_more_than_fifty(tmp_path: Path) -> None:
    async with open_database(Settings(model_id=MODEL_ID, data_dir=tmp_path)) as database:
        store = ConversationRepository(database)
        await _fill(store)
        found = await DatabaseStatistics(database).collect(5)
    assert found.messages == 62
    assert [answer.receipt for answer in found.answers] == [
        {"model": "m", "total_ms": number} for number in range(59, 9, -1)
    ]


async def _fill(store: ConversationRepository) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    answers = [
        Message(
            role="assistant",
            state="finished",
            receipt={"model": "m", "total_ms": number},
            updated_at=moment.replace(second=number),
        )
        for number in range(60)
    ]
    others = [Message(role="assistant", state="failed", receipt={}), Message(role="user")]
    await store.insert_many([Conversation(messages=[*answers, *others])])


@pytest.mark.parametrize(
    "receipt",
    [
        '{"model": "m", "total_ms": 1e999}',
        '{"model": "m", "total_ms": "<script>"}',
        '{"model": ["m"], "total_ms": 1}',
        '{"model": "m", "total_ms": 1, "x": "' + "y" * 1_000_000 + '"}',
        "{}",
    ],
)
async def test_an_imported_receipt_that_is_none_is_left_out(
    api_client: httpx.AsyncClient, receipt: str
) -> None:
    message = '{"role": "assistant", "state": "finished", "receipt": ' + receipt + "}"
    body = (
        '{"format": "smolchat", "version": 1, "conversations": [{"messages": [' + message + "]}]}"
    )
    headers = {"Content-Type": "application/json"}
    imported = await api_client.post("/conversations/import", content=body, headers=headers)
    assert imported.status_code == 201
    [answer] = (await told(api_client))["recent"]
    assert answer["receipt"] is None


async def test_no_secret_is_told(model_server: FakeModelServer, postgres: str) -> None:
    url = postgres.replace("smolchat@", f"smolchat:{SECRET}@") + f"&application_name={SECRET}"
    secrets = {"dmr_api_key": SECRET, "api_key": SECRET, "database_url": url}
    where = {"model_id": MODEL_ID, "dmr_base_url": model_server.base_url}
    async with running(Settings.model_validate(where | secrets)) as api:
        await answered(api, model_server, words=1)
        response = await api.get("/status")
        refused = await api.get("/status", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    found = response.json()
    assert SECRET not in response.text
    assert {name for name, value in found["settings"].items() if value == "set"} == {
        "DMR_API_KEY", "SMOLCHAT_API_KEY", "SMOLCHAT_DATABASE_URL",
    }  # fmt: skip
    host = make_url(url).query["host"]
    assert (found["store"]["kind"], found["store"]["place"]) == ("postgresql", f"{host}/postgres")
    assert (found["store"]["bytes"], found["store"]["conversations"]) == (None, 1)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql+psycopg://u:p@db.example:5433/notes", "db.example:5433/notes"),
        ("postgresql+psycopg://u:geh@eim@db.example/notes", "db.example/notes"),
        ("postgresql+psycopg:///notes?password=p&host=a&host=b", "a,b/notes"),
        ("postgresql+psycopg://", "localhost/"),
        ("sqlite+aiosqlite:///x/y.db", "x/y.db"),
        ("sqlite+aiosqlite://", ":memory:"),
    ],
)
def test_a_place_has_no_user_and_no_password(url: str, place: str) -> None:
    assert database_location(make_url(url)) == place


@pytest.mark.parametrize("models", [Reply(end="hang"), Reply(first_seconds=60)])
async def test_a_silent_model_server_is_told_in_time(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, models: Reply
) -> None:
    model_server.models = models
    started = time.monotonic()
    found = await told(api_client)
    assert time.monotonic() - started < 2.5
    assert found["model_server"]["state"] == "silent"
    assert found["store"]["conversations"] == 0


async def test_it_never_runs_the_model(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    await told(api_client)
    assert not model_server.chats
    assert {request.method for request in model_server.requests} == {"GET"}


async def test_a_busy_file_is_told_in_time(api_client: httpx.AsyncClient, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    # Each that waits for its turn to write has a connection; there are 15.
    writers = [asyncio.create_task(api_client.post("/conversations", json={})) for _ in range(20)]
    await asyncio.sleep(0.5)
    await _is_told_in_time(api_client)
    other.execute("ROLLBACK")
    other.close()
    assert {(await writer).status_code for writer in writers} == {201}
    assert (await told(api_client))["store"]["conversations"] == 20


async def test_a_busy_server_of_databases_is_told_in_time(
    model_server: FakeModelServer, postgres: str
) -> None:
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, database_url=SecretStr(postgres)
    )
    engine = create_engine(postgres.replace("postgres:", "postgresql+psycopg:"))
    async with running(settings) as api:
        with engine.begin() as other:
            other.execute(text("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"))
            await _is_told_in_time(api)
        engine.dispose()
        assert (await told(api))["store"]["problem"] is None


async def _is_told_in_time(api: httpx.AsyncClient) -> None:
    for _ in range(3):  # the second joins the look of the first
        started = time.monotonic()
        found = await told(api)
        assert time.monotonic() - started < 2.5
        store = found["store"]
        assert "busy" in store["problem"]
        assert (store["bytes"], store["conversations"], found["recent"]) == (None, None, None)


async def test_a_broken_database_is_told(api_client: httpx.AsyncClient, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("DROP TABLE messages")
    connection.close()
    store = (await told(api_client))["store"]
    assert "log says why" in store["problem"]
    assert store["messages"] is None


async def test_requests_that_run_are_told(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["a"], first_seconds=1.5))
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    asking = asyncio.create_task(api_client.post("/chat", json=body))
    await asyncio.sleep(0.5)
    assert (await told(api_client))["running"] == 1
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
