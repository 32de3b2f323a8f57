"""Fixtures shared by all tests: settings, a scripted model server, and the API in front of it."""

import asyncio
import atexit
import gc
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from fastapi import FastAPI

# Tests expect the default settings, which the modules imported below read from the environment.
# Preloading is off, so that only the tests of it find its request at the model server.
for name in [name for name in os.environ if re.match("SMOLCHAT_|.*_proxy$", name, re.IGNORECASE)]:
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

from backend.database.database import FILE_NAME, open_database  # noqa: E402
from backend.main import create_app  # noqa: E402
from backend.settings import Settings  # noqa: E402
from tests.support.api_server import running_api  # noqa: E402
from tests.support.browser import Stack, running_stack  # noqa: E402
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server  # noqa: E402
from tests.support.paths import ROOT  # noqa: E402
from tests.support.postgres import missing_reason, running_postgres  # noqa: E402
from tests.support.requests import MODEL_ID  # noqa: E402

# Tests in these folders and tests that use these fixtures start programs: they are slow.
SLOW_FOLDERS = {"benchmarks", "clients", "e2e", "launcher"}
SLOW_FIXTURES = {"engine", "postgres"}

# `ci` tries more examples. Both try the same ones each time, so that a commit passes or fails for
# good; `search` looks for new ones: `pytest --hypothesis-profile search`.
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as slow before pytest selects by markers; start with the folders of such tests.

    So no worker is left with a file that takes minutes when the other one has finished.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if _folder(item) in SLOW_FOLDERS or not SLOW_FIXTURES.isdisjoint(fixtures):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _folder(item) not in SLOW_FOLDERS)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


def pytest_collection_finish() -> None:
    """Take what was imported out of the collections after each test, which take most of a run."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Take out what each test leaves as well, such as modules that it was the first to import."""
    result = yield
    gc.collect()
    gc.freeze()
    return result


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def model_server() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all migrations: to copy it is quicker than to run them."""
    folder = tmp_path_factory.mktemp("migrated")

    async def migrate() -> None:
        async with open_database(Settings(model_id=MODEL_ID, data_dir=folder)):
            pass

    with (
        ThreadPoolExecutor() as thread
    ):  # as this one may have a loop that is running: Playwright's
        thread.submit(asyncio.run, migrate()).result()
    return folder / FILE_NAME


@pytest.fixture
def data_dir(migrated_database: Path, tmp_path: Path) -> Path:
    shutil.copy(migrated_database, tmp_path)
    return tmp_path


@pytest.fixture
def settings(model_server: FakeModelServer, data_dir: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=data_dir)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app
    gc.collect()  # a database connection that was left to it fails this test


@pytest.fixture
async def api_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API in process. It buffers streams until they end: test those on a socket."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a temporary Postgres server."""
    if reason := missing_reason():
        pytest.skip(reason)
    with running_postgres() as url:
        yield url


@pytest.fixture
def api_url(settings: Settings) -> Iterator[str]:
    """The URL of the API on a real socket."""
    with running_api(settings) as url:
        yield url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The page, the API with its own database, and a scripted model server."""
    with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack
