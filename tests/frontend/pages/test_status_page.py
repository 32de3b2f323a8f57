"""The Status page in AppTest, against the real API with a scripted model server."""

import json
import platform
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import streamlit as st
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from backend.settings import Settings
from benchmarks.processes import free_port
from status.status_view import format_bytes
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.paths import ROOT
from tests.support.requests import MODEL_ID, STREAMED
from tests.support.streamlit_app import open_page
from version import VERSION

SECRET = "geheimnis"  # noqa: S105  # searched for in the page


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    page = open_page(api_url, monkeypatch, "status")
    yield page
    assert not page.exception


def page_text(page: AppTest) -> str:
    """Return all text on the page."""
    parts = [*page.text, *page.warning, *page.markdown, *page.caption, *page.metric]
    return "\n".join(str(part.value) for part in parts)


def tables_text(page: AppTest) -> str:
    return "\n".join(table.value.to_string() for table in page.table)


def store_answer(url: str, model_server: FakeModelServer, *, tokens: int) -> None:
    conversation = httpx.post(f"{url}/conversations", json={}).json()["id"]
    model_server.replies.append(stream_reply(["a"] * tokens))
    httpx.post(f"{url}/chat", json=STREAMED | {"smolchat": {"conversation": conversation}})


def test_services_show_address_and_version(
    page: AppTest, api_url: str, model_server: FakeModelServer
) -> None:
    assert page.title[0].value == "Status"
    assert [part.value for part in page.subheader] == ["This page", "API", "Model server"]
    for text in (
        api_url,
        model_server.base_url,
        f"SmolChat {VERSION} · Python {platform.python_version()}",
        "FastAPI ",
        f"{MODEL_ID} is ready.",
        "Docker Model Runner, version unknown",
        f"Context size of {MODEL_ID}: 8,192 tokens",
    ):
        assert text in page_text(page)
    assert not page.warning


def test_context_size_is_shown(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"id": MODEL_ID, "owned_by": "llamacpp", "meta": {"n_ctx": 8192}}
    model_server.models = Reply(chunks=[json.dumps({"data": [entry]}).encode()])
    page = open_page(api_url, monkeypatch, "status")
    assert f"Context size of {MODEL_ID}: 8,192 tokens" in page_text(page)


def test_performance_is_empty_before_the_first_response(page: AppTest, tmp_path: Path) -> None:
    assert "No stored responses yet" in page_text(page)
    assert not page.get("vega_lite_chart")
    assert str(tmp_path) in page_text(page)
    assert [metric.value for metric in page.metric][:2] == ["0", "0"]


def test_recent_responses_are_in_charts_and_a_table(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(api_url, model_server, tokens=3)
    store_answer(api_url, model_server, tokens=7)
    page = open_page(api_url, monkeypatch, "status")
    assert len(page.get("vega_lite_chart")) == 2
    assert list(page.table[0].value["Tokens"]) == ["7", "3"]
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Median generation speed"] == "50.0 tokens/s"
    assert (values["Conversations"], values["Messages"]) == ("2", "4")
    assert not page.exception


def test_settings_in_effect_are_listed_without_secrets(
    model_server: FakeModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SecretStr(SECRET)
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        data_dir=tmp_path,
        api_key=key,
        dmr_api_key=key,
    )
    monkeypatch.setenv("SMOLCHAT_API_KEY", SECRET)
    with running_api(settings) as url:
        page = open_page(url, monkeypatch, "status")
    assert [expander.label for expander in page.main.expander] == [
        "API settings",
        "Page settings",
        "API packages",
    ]
    assert "`SMOLCHAT_MAX_TOKENS`" in tables_text(page)
    assert SECRET not in tables_text(page) + page_text(page)
    assert "Both require the API key" in page_text(page)


def test_links_lead_to_the_api_docs(page: AppTest, api_url: str) -> None:
    links = [(link.proto.url, link.proto.disabled) for link in page.get("link_button")]
    assert links == [(f"{api_url}/docs", False), (f"{api_url}/openapi.json", False)]


def test_links_use_the_public_url_of_the_api(monkeypatch: pytest.MonkeyPatch, api_url: str) -> None:
    monkeypatch.setenv("SMOLCHAT_API_PUBLIC_URL", "http://localhost:8100")
    page = open_page(api_url, monkeypatch, "status")
    assert page.get("link_button")[0].proto.url == "http://localhost:8100/docs"


def test_api_down_shows_the_next_step_and_the_page_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    page = open_page(f"http://localhost:{port}", monkeypatch, "status")
    assert f"`uvicorn backend.main:app --port {port}`" in page_text(page)
    assert page.button(key="service_retry")
    assert f"Python {platform.python_version()}" in page_text(page)
    assert "Not available: the API did not report it." in page_text(page)
    assert [expander.label for expander in page.main.expander] == ["Page settings"]
    assert all(link.proto.disabled for link in page.get("link_button"))
    assert not page.exception


def test_retry_shows_the_status_when_the_api_is_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("http://localhost:9", monkeypatch, "status")
    with running_api(settings) as url:
        monkeypatch.setenv("API_BASE_URL", url)
        st.cache_resource.clear()
        page.button(key="service_retry").click().run()
    assert f"{MODEL_ID} is ready." in page_text(page)
    assert not page.exception


def test_wrong_api_key_is_reported(
    model_server: FakeModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        data_dir=tmp_path,
        api_key=SecretStr(SECRET),
    )
    with running_api(settings) as url:
        page = open_page(url, monkeypatch, "status")
    assert "SMOLCHAT_API_KEY" in page.warning[-1].value.replace("\\", "")
    assert page.button(key="status_retry")
    assert "The model is ready." in page_text(page)


def test_loading_model_is_reported(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, chunks=[b'{"error":{"message":"Loading model"}}'])
    page = open_page(api_url, monkeypatch, "status")
    assert "loading" in page.warning[0].value
    assert "Loading model" in page_text(page)


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "n/a"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB")],
)
def test_bytes_have_a_unit(count: int | None, text: str) -> None:
    assert format_bytes(count) == text


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
