"""The React page, served by the API: its addresses, its files and how browsers may keep them."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from backend.http.security import PUBLIC_PATHS, PUBLIC_PREFIXES
from backend.main import create_app
from backend.settings import Settings
from backend.web.build import DIRECTORY, load_build
from backend.web.routes import router
from tests.support.api_server import api_client_with
from tests.support.fake_model_server import FakeModelServer

pytestmark = pytest.mark.anyio

PAGES = ["/", "/c/0192-ab", "/app/structured", "/app/no/such/page"]
SCRIPT = next(path for path in load_build() if re.fullmatch(r"assets/index-.+\.js", path))
HOSTILE_NAMES = [
    "assets/missing.js",
    f"{SCRIPT}.br",
    "assets/../index.html",
    "assets/..%2findex.html",
    "assets/%2e%2e/%2e%2e/%2e%2e/pyproject.toml",
    "assets/..\\..\\pyproject.toml",
    "assets//etc/passwd",
    "assets/%00",
    f"{SCRIPT}%00",
    "index.html",
]


@pytest.mark.parametrize("path", PAGES)
async def test_each_address_of_the_page_is_the_same_document(
    path: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.get(path)
    assert response.status_code == 200
    assert response.content == (DIRECTORY / "index.html").read_bytes()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert (await api_client.head(path)).headers["etag"] == response.headers["etag"]


async def test_document_loads_only_files_of_the_page(api_client: httpx.AsyncClient) -> None:
    document = (await api_client.get("/")).text
    paths = re.findall(r'(?:src|href)="([^"]+)"', document)
    assert len(paths) >= 4
    for path in paths:
        response = await api_client.get(path)
        assert response.status_code == 200, path
        assert "immutable" in response.headers["cache-control"], path
    assert not re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", document)


async def test_policy_allows_nothing_inline_evaluated_or_from_elsewhere(
    api_client: httpx.AsyncClient,
) -> None:
    policy = (await api_client.get("/c/x")).headers["content-security-policy"]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives.pop("img-src") == "'self' blob: data:"
    assert set(directives.values()) == {"'none'", "'self'"}
    assert directives["default-src"] == "'none'"


async def test_files_are_kept_and_the_document_is_revalidated(
    api_client: httpx.AsyncClient,
) -> None:
    script = await api_client.get(f"/{SCRIPT}")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    etag = (await api_client.get("/")).headers["etag"]
    for tag in (etag, f'"other", W/{etag}'):
        again = await api_client.get("/", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
    assert (await api_client.get("/", headers={"if-none-match": '"x"'})).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, br;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("br ; q=0.5", "br"),
        ("identity", None),
        ("", None),
        ("gzip;q=0, br;q=0.000", None),
    ],
)
async def test_file_is_sent_in_the_best_coding_that_is_accepted(
    accepted: str, coding: str | None, api_client: httpx.AsyncClient
) -> None:
    request = api_client.build_request("GET", f"/{SCRIPT}", headers={"accept-encoding": accepted})
    response = await api_client.send(request, stream=True)
    sent = b"".join([chunk async for chunk in response.aiter_raw()])
    suffix = {"br": ".br", "gzip": ".gz"}.get(coding or "", "")
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert sent == (DIRECTORY / (SCRIPT + suffix)).read_bytes()


def test_compressed_files_are_those_of_the_build() -> None:
    variants = list(DIRECTORY.rglob("*.gz"))
    assert variants
    for variant in variants:
        assert gzip.decompress(variant.read_bytes()) == variant.with_suffix("").read_bytes()
        assert variant.with_suffix(".br").exists()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_what_is_no_file_of_the_page_is_a_404(
    name: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.get(f"/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


async def test_build_that_is_missing_has_no_files(tmp_path: Path) -> None:
    assert load_build(tmp_path) == {}


async def test_page_needs_no_key_and_everything_else_does(model_server: FakeModelServer) -> None:
    async with api_client_with(model_server, api_key="secret") as api:
        for path in (*PAGES, f"/{SCRIPT}"):
            assert (await api.get(path)).status_code == 200, path
        for path in ("/conversations", "/app", "/assets", "/models"):
            assert (await api.get(path)).status_code == 401, path


def test_addresses_of_the_page_are_not_routes_of_the_api() -> None:
    page = {route.path for route in router.routes}  # type: ignore[attr-defined]
    others = set(create_app(Settings.load()).openapi()["paths"]) | {"/docs", "/openapi.json"}
    assert not [path for path in others if path in PUBLIC_PATHS and path in page]
    assert not [path for path in others if path.startswith(PUBLIC_PREFIXES)]
    for path in page:
        assert path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES), path
