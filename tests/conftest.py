"""What many tests arrange: settings, a scripted model server, and the API in front of it."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from backend.main import create_app
from backend.settings import Settings
from model_server import ModelServer, running_model_server
from served_api import running_api

MODEL_ID = "ai/smollm2:latest"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with running_model_server() as server:
        yield server


@pytest.fixture
def settings(model_server: ModelServer) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The API in process. It may hold streams back until they end: see `served` for those."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
def served(settings: Settings) -> Iterator[str]:
    """The address of the API on a real socket."""
    with running_api(settings) as url:
        yield url
