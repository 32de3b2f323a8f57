"""The page of status as Streamlit runs it, against the real API with a scripted model behind it."""

import json
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
from status.status_view import as_code, format_bytes
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, Reply, stream_of
from tests.support.paths import ROOT
from tests.support.requests import MODEL_ID
from tests.support.streamlit_app import opened
from version import VERSION

SECRET = "geheimnis"  # noqa: S105  # a word to look for


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    page = opened(api_url, monkeypatch, "status")
    yield page
    assert not page.exception


def told(page: AppTest) -> str:
    """Give all that stands on the page as text."""
    parts = [*page.text, *page.warning, *page.markdown, *page.caption, *page.metric]
    return "\n".join(str(part.value) for part in parts)


def tables(page: AppTest) -> str:
    return "\n".join(table.value.to_string() for table in page.table)


def answered(url: str, model_server: FakeModelServer, *, words: int) -> None:
    conversation = httpx.post(f"{url}/conversations", json={}).json()["id"]
    model_server.replies.append(stream_of(["a"] * words))
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    httpx.post(f"{url}/chat", json=body | {"smolchat": {"conversation": conversation}})


def test_what_runs_where_is_told(
    page: AppTest, api_url: str, model_server: FakeModelServer
) -> None:
    assert page.title[0].value == "Status"
    assert [part.value for part in page.subheader] == ["This page", "API", "Model server"]
    for words in (
        api_url,
        model_server.base_url,
        f"Streamlit {st.__version__}",
        "FastAPI ",
        f"{MODEL_ID} is ready.",
        "Docker Model Runner, version not told",
        f"Context for {MODEL_ID}: not measured",
    ):
        assert words in told(page)
    assert not page.warning


def test_the_context_is_told(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"id": MODEL_ID, "owned_by": "llamacpp", "meta": {"n_ctx": 8192}}
    model_server.models = Reply(pieces=[json.dumps({"data": [entry]}).encode()])
    assert f"Context for {MODEL_ID}: 8,192 tokens" in told(opened(api_url, monkeypatch, "status"))


def test_before_the_first_answer_nothing_is_measured(page: AppTest, tmp_path: Path) -> None:
    assert "Not measured: there is no stored answer yet." in told(page)
    assert not page.get("vega_lite_chart")
    assert str(tmp_path) in told(page)
    assert [metric.value for metric in page.metric][:2] == ["0", "0"]


def test_the_last_answers_are_plotted_and_in_a_table(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(api_url, model_server, words=3)
    answered(api_url, model_server, words=7)
    page = opened(api_url, monkeypatch, "status")
    assert len(page.get("vega_lite_chart")) == 2
    assert list(page.table[0].value["Tokens"]) == ["7", "3"]
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Writing, median"] == "50.0 tokens/s"
    assert (values["Conversations"], values["Messages"]) == ("2", "4")
    assert not page.exception


def test_settings_in_effect_are_listed_and_no_secret_is_among_them(
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
        page = opened(url, monkeypatch, "status")
    assert [expander.label for expander in page.main.expander] == [
        "Settings of the API",
        "Settings of this page",
        "Packages of the API",
    ]
    assert "`SMOLCHAT_MAX_TOKENS`" in tables(page)
    assert SECRET not in tables(page) + told(page)
    assert "Both want the API's key" in told(page)


def test_links_lead_to_the_description(page: AppTest, api_url: str) -> None:
    links = [(link.proto.url, link.proto.disabled) for link in page.get("link_button")]
    assert links == [(f"{api_url}/docs", False), (f"{api_url}/openapi.json", False)]


def test_links_lead_to_where_a_browser_finds_the_api(
    monkeypatch: pytest.MonkeyPatch, api_url: str
) -> None:
    monkeypatch.setenv("SMOLCHAT_API_PUBLIC_URL", "http://localhost:8100")
    page = opened(api_url, monkeypatch, "status")
    assert page.get("link_button")[0].proto.url == "http://localhost:8100/docs"


def test_an_api_that_is_down_is_told_beside_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    page = opened(f"http://localhost:{port}", monkeypatch, "status")
    assert f"`uvicorn backend.main:app --port {port}`" in told(page)
    assert page.button(key="service_retry")
    assert f"Streamlit {st.__version__}" in told(page)
    assert "Not measured: nobody could tell." in told(page)
    assert [expander.label for expander in page.main.expander] == ["Settings of this page"]
    assert all(link.proto.disabled for link in page.get("link_button"))
    assert not page.exception


def test_it_is_all_there_again_when_the_api_is_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened("http://localhost:9", monkeypatch, "status")
    with running_api(settings) as url:
        monkeypatch.setenv("API_BASE_URL", url)
        st.cache_resource.clear()
        page.button(key="service_retry").click().run()
    assert f"{MODEL_ID} is ready." in told(page)
    assert not page.exception


def test_a_wrong_key_is_told(
    model_server: FakeModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        data_dir=tmp_path,
        api_key=SecretStr(SECRET),
    )
    with running_api(settings) as url:
        page = opened(url, monkeypatch, "status")
    assert "SMOLCHAT_API_KEY" in page.warning[-1].value.replace("\\", "")
    assert page.button(key="status_retry")
    assert f"{MODEL_ID} is ready." in told(page)


def test_a_model_server_in_trouble_is_told(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, pieces=[b'{"error":{"message":"Loading model"}}'])
    page = opened(api_url, monkeypatch, "status")
    assert "loading" in page.warning[0].value
    assert "The model is loading" in told(page)


def test_a_hostile_value_is_only_text() -> None:
    assert "![" not in as_code("![x](http://evil.test/a.png)")
    assert as_code(":red[a] <b> $x$ _y_") == "`:red[a] <b> $x$ _y_`"
    assert as_code("a\n\n# b") == "`a # b`"
    assert as_code("a ` b") == "`a ' b`"
    assert as_code(" ") == "`none`"


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, "not measured"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB")],
)
def test_sizes_are_for_people(count: int | None, words: str) -> None:
    assert format_bytes(count) == words


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
