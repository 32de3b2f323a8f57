"""The Tools page: permissions of tools, and MCP servers with their state."""

import json
from pathlib import Path

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from sanitize.plain_text import plain_text
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.streamlit_app import open_page


def approvals(api_url: str) -> dict[str, str]:
    tools = httpx.get(f"{api_url}/tools").json()["data"]
    return {tool["name"]: tool["approval"] for tool in tools}


def texts(page: AppTest) -> list[str]:
    return [text.value for text in page.text]


def test_permission_of_a_tool_is_stored(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page(api_url, monkeypatch, "tools")
    assert not page.exception
    assert any(caption.value.startswith("No MCP servers") for caption in page.caption)
    control = page.segmented_control(key="tools_approval_calculator")
    assert control.value == approvals(api_url)["calculator"] == "always"
    control.set_value("never").run()
    assert approvals(api_url)["calculator"] == "never"
    assert page.segmented_control(key="tools_approval_calculator").value == "never"


def test_tool_that_never_runs_cannot_be_switched_on(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpx.patch(f"{api_url}/tools/calculator", json={"approval": "never"})
    page = open_page(api_url, monkeypatch)
    toggle = page.toggle(key="parameter_tool_calculator")
    assert (toggle.disabled, toggle.label) == (True, "Calculator · never runs")


def test_servers_show_their_state_and_are_switched_off(
    model_server: FakeModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "![x](http://evil.test/t.png)"
    servers = {hostile: {"url": "http://127.0.0.1:9/mcp"}}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": servers}))
    with running_api(settings_for(model_server, mcp_config=str(config))) as api_url:
        page = open_page(api_url, monkeypatch, "tools")
        assert not page.exception
        assert f"**{plain_text(hostile)}**" in [markdown.value for markdown in page.markdown]
        assert "http://127.0.0.1:9/mcp" in texts(page)
        page.toggle(key="tools_server_on_0").set_value(False).run()
        [server] = httpx.get(f"{api_url}/tools/servers").json()["data"]
        assert server["state"] == "off"
        assert page.button(key="tools_reconnect_0").disabled


def test_page_works_while_the_api_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("http://127.0.0.1:9", monkeypatch, "tools")
    assert not page.exception
    assert "Can't reach the API" in page.warning[0].value
