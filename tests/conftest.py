"""What many tests arrange: settings, a scripted model server, and the API in front of it."""

import atexit
import importlib.util
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser

# The tests mean the defaults, whatever a person has set. What is imported below reads them. Only
# what happens by itself at the start is left to the tests of it.
for name in [name for name in os.environ if name.startswith("SMOLCHAT_")]:
    del os.environ[name]
os.environ |= {
    "MODEL_ID": "ai/smollm2:latest",
    "DMR_BASE_URL": "http://localhost:12434/engines/llama.cpp/v1",
    "DMR_API_KEY": "dmr-no-key-required",
    "API_BASE_URL": "http://localhost:8000",
    "SMOLCHAT_PRELOAD": "false",
    "SMOLCHAT_DATA_DIR": tempfile.mkdtemp(prefix="smolchat-tests-"),
}

atexit.register(shutil.rmtree, os.environ["SMOLCHAT_DATA_DIR"], ignore_errors=True)

from backend.main import create_app  # noqa: E402
from backend.settings import Settings  # noqa: E402
from benchmarks.browser import running_browser  # noqa: E402
from tests.support.api_server import running_api  # noqa: E402
from tests.support.browser import Stack, running_stack  # noqa: E402
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server  # noqa: E402
from tests.support.postgres import missing_reason, running_postgres  # noqa: E402
from tests.support.requests import MODEL_ID  # noqa: E402


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def model_server() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture
def settings(model_server: FakeModelServer) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The API in process. It may hold streams back until they end: see `served` for those."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a Postgres of our own, where there can be one."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("The driver for Postgres is not installed (extra postgres).")
    if why := missing_reason():
        pytest.skip(why)
    with running_postgres() as url:
        yield url


@pytest.fixture
def api_url(settings: Settings) -> Iterator[str]:
    """The address of the API on a real socket."""
    with running_api(settings) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The page, the API and a scripted model server, with conversations of their own."""
    with running_stack(tmp_path_factory.mktemp("kept")) as stack:
        yield stack
