"""The status route: its values, its time limits, and that it leaks no secrets."""

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

from backend.database.database import FILE_NAME, database_location
from backend.main import create_app
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.requests import HELLO, MODEL_ID, STREAMED
from tests.support.sqlite_file import WAIT_SECONDS, execute

pytestmark = pytest.mark.anyio

SECRET = "geheimnis"  # noqa: S105  # searched for in the response
Json = dict[str, Any]


@asynccontextmanager
async def running_client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
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


async def get_status(api: httpx.AsyncClient) -> Json:
    response = await api.get("/status")
    assert response.status_code == 200
    payload: Json = response.json()
    return payload


async def store_answer(
    api: httpx.AsyncClient, model_server: FakeModelServer, *, tokens: int
) -> None:
    conversation = (await api.post("/conversations", json={})).json()["id"]
    model_server.replies.append(stream_reply(["a"] * tokens))
    await api.post("/chat", json=STREAMED | {"smolchat": {"conversation": conversation}})


async def test_status_reports_versions_services_and_settings(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, settings: Settings
) -> None:
    status = await get_status(api_client)
    health = (await api_client.get("/healthz")).json()
    assert status["model_server"] == health["model_server"] | {"context_size": 8192}
    assert status["version"] == health["version"]
    assert status["python"].startswith("3.")
    assert {"fastapi", "pydantic", "uvicorn", "sqlalchemy", "aiohttp"} <= set(status["packages"])
    started = datetime.fromisoformat(status["started_at"])
    assert 0 <= (datetime.now(UTC) - started).total_seconds() < 60
    assert (status["running"], status["waiting"]) == (0, 0)
    assert status["settings"]["MODEL_ID"] == MODEL_ID
    assert status["settings"]["SMOLCHAT_MAX_TOKENS"] == settings.max_tokens
    assert status["settings"]["DMR_BASE_URL"] == model_server.base_url


async def test_context_size_is_reported_if_the_model_server_reports_it(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    entry = {"id": "/models/tiny.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}
    model_server.models = Reply(chunks=[json.dumps({"data": [entry]}).encode()])
    status = (await get_status(api_client))["model_server"]
    assert (status["name"], status["context_size"]) == ("llama.cpp", 2048)


async def test_conversations_and_recent_answers_are_reported(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, tmp_path: Path
) -> None:
    await store_answer(api_client, model_server, tokens=3)
    await store_answer(api_client, model_server, tokens=5)
    status = await get_status(api_client)
    store = status["store"]
    assert (store["kind"], store["place"]) == ("sqlite", str(tmp_path / FILE_NAME))
    assert (store["conversations"], store["messages"], store["problem"]) == (2, 4, None)
    assert store["bytes"] > (tmp_path / FILE_NAME).stat().st_size  # includes the write-ahead log
    assert [answer["receipt"]["completion_tokens"] for answer in status["recent"]] == [5, 3]
    assert status["recent"][0]["model"] == MODEL_ID
    assert status["recent"][0]["ended_at"] > status["recent"][1]["ended_at"]


@pytest.mark.parametrize(
    "receipt",
    [
        '{"model": "m", "total_ms": "<script>"}',
        '{"model": ["m"], "total_ms": 1}',
        '{"model": "m", "total_ms": 1, "x": "' + "y" * 1_000_000 + '"}',
        "{}",
    ],
)
async def test_invalid_imported_receipt_is_null(
    api_client: httpx.AsyncClient, receipt: str
) -> None:
    message = '{"role": "assistant", "state": "finished", "receipt": ' + receipt + "}"
    body = (
        '{"format": "smolchat", "version": 1, "conversations": [{"messages": [' + message + "]}]}"
    )
    headers = {"Content-Type": "application/json"}
    response = await api_client.post("/conversations/import", content=body, headers=headers)
    assert response.status_code == 201
    [answer] = (await get_status(api_client))["recent"]
    assert answer["receipt"] is None


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999"])
async def test_stored_receipt_with_a_number_that_json_lacks_is_null(
    number: str, api_client: httpx.AsyncClient, model_server: FakeModelServer, tmp_path: Path
) -> None:
    """An import took such numbers in former versions."""
    await store_answer(api_client, model_server, tokens=3)
    receipt = '{"model": "m", "total_ms": ' + number + "}"
    update = "UPDATE messages SET receipt = ? WHERE receipt IS NOT NULL"
    await asyncio.to_thread(execute, tmp_path, update, receipt)
    [answer] = (await get_status(api_client))["recent"]
    assert answer["receipt"] is None


async def test_status_contains_no_secret(model_server: FakeModelServer, postgres: str) -> None:
    url = postgres.replace("smolchat@", f"smolchat:{SECRET}@") + f"&application_name={SECRET}"
    secrets = {"dmr_api_key": SECRET, "api_key": SECRET, "database_url": url}
    required = {"model_id": MODEL_ID, "dmr_base_url": model_server.base_url}
    async with running_client(Settings.model_validate(required | secrets)) as api:
        await store_answer(api, model_server, tokens=1)
        response = await api.get("/status")
        refused = await api.get("/status", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    status = response.json()
    assert SECRET not in response.text
    assert {name for name, value in status["settings"].items() if value == "set"} == {
        "DMR_API_KEY", "SMOLCHAT_API_KEY", "SMOLCHAT_DATABASE_URL",
    }  # fmt: skip
    host = make_url(url).query["host"]
    assert (status["store"]["kind"], status["store"]["place"]) == ("postgresql", f"{host}/postgres")
    assert (status["store"]["bytes"], status["store"]["conversations"]) == (None, 1)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("postgresql+psycopg://u:p@db.example:5433/notes", "db.example:5433/notes"),
        ("postgresql+psycopg://u:geh@eim@db.example/notes", "db.example/notes"),
        ("postgresql+psycopg:///notes?password=p&host=a&host=b", "a,b/notes"),
        ("postgresql+psycopg://u:p@[::1]:5433/notes", "[::1]:5433/notes"),
        ("postgresql+psycopg://u:p@[::1]/notes", "::1/notes"),
        ("postgresql+psycopg://", "localhost/"),
        ("sqlite+aiosqlite:///x/y.db", "x/y.db"),
        ("sqlite+aiosqlite://", ":memory:"),
    ],
)
def test_database_location_has_no_credentials(url: str, location: str) -> None:
    assert database_location(make_url(url)) == location


@pytest.mark.parametrize("models", [Reply(end="hang"), Reply(delay_seconds=60)])
async def test_silent_model_server_is_reported_within_the_time_limit(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, models: Reply
) -> None:
    model_server.models = models
    started_at = time.monotonic()
    status = await get_status(api_client)
    assert time.monotonic() - started_at < 2.5
    assert status["model_server"]["state"] == "silent"
    assert status["store"]["conversations"] == 0


async def test_status_never_runs_the_model(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    await get_status(api_client)
    assert not model_server.chat_requests
    assert {request.method for request in model_server.requests} == {"GET"}


async def test_locked_sqlite_is_still_read(api_client: httpx.AsyncClient, tmp_path: Path) -> None:
    blocker = sqlite3.connect(
        tmp_path / FILE_NAME, WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )
    await asyncio.to_thread(blocker.execute, "BEGIN IMMEDIATE")
    writers = [asyncio.create_task(api_client.post("/conversations", json={})) for _ in range(20)]
    await asyncio.sleep(0.5)
    store = (await get_status(api_client))["store"]
    blocker.close()
    assert (store["problem"], store["conversations"]) == (None, 0)
    assert {(await writer).status_code for writer in writers} == {201}
    assert (await get_status(api_client))["store"]["conversations"] == 20


async def test_busy_postgres_is_reported_within_the_time_limit(
    model_server: FakeModelServer, postgres: str
) -> None:
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, database_url=SecretStr(postgres)
    )
    engine = create_engine(postgres.replace("postgres:", "postgresql+psycopg:"))
    async with running_client(settings) as api:
        with engine.begin() as blocker:
            blocker.execute(text("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"))
            await _assert_busy_is_reported_in_time(api)
        engine.dispose()
        assert (await get_status(api))["store"]["problem"] is None


async def _assert_busy_is_reported_in_time(api: httpx.AsyncClient) -> None:
    for _ in range(3):  # later requests share the query of the first one
        started_at = time.monotonic()
        status = await get_status(api)
        assert time.monotonic() - started_at < 2.5
        store = status["store"]
        assert "busy" in store["problem"]
        assert (store["bytes"], store["conversations"], status["recent"]) == (None, None, None)


async def test_database_failure_is_reported(api_client: httpx.AsyncClient, tmp_path: Path) -> None:
    await asyncio.to_thread(execute, tmp_path, "DROP TABLE messages")
    store = (await get_status(api_client))["store"]
    assert "log has the details" in store["problem"]
    assert store["messages"] is None


async def test_running_requests_are_counted(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["a"], delay_seconds=1.5))
    request = asyncio.create_task(api_client.post("/chat", json=HELLO))
    await asyncio.sleep(0.5)
    assert (await get_status(api_client))["running"] == 1
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
