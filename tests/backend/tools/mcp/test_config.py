"""The file of MCP servers is read as other programs write it, and never stops the API."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.tools.mcp.config import McpConfig, ServerConfig, load_config


def load(tmp_path: Path, document: Any) -> McpConfig:
    file = tmp_path / "mcp.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return load_config(str(file))


def load_server(tmp_path: Path, entry: Any) -> ServerConfig:
    config = load(tmp_path, {"mcpServers": {"one": entry}})
    assert config.error is None
    return config.servers[0]


def test_no_file_is_no_server() -> None:
    assert load_config("") == McpConfig()


def test_servers_are_read_with_the_fields_of_other_programs(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        {
            "mcpServers": {
                "web": {
                    "type": "http",
                    "url": "https://user:secret@example.com/mcp?key=secret#x",
                    "headers": {"Authorization": "Bearer secret"},
                    "autoApprove": ["*"],
                    "alwaysAllow": ["delete"],
                    "disabled": True,
                },
                "files": {"command": "npx", "args": ["-y", 5], "env": {"TOKEN": "secret"}},
            },
            "inputs": [],
        },
    )
    web, files = config.servers
    assert (web.transport, web.address, web.is_enabled) == (
        "http",
        "https://example.com/mcp",
        False,
    )
    assert (files.transport, files.address, files.args) == ("stdio", "npx", ("-y", "5"))
    assert not web.problem
    assert not files.problem
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON: Expecting property name"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "has no object `mcpServers`"),
        ('{"mcpServers": []}', "has no object `mcpServers`"),
        (" " * 1_100_000, "has more than 1,048,576 bytes"),
        (
            json.dumps({"mcpServers": {str(number): {} for number in range(65)}}),
            "more than 64 servers",
        ),
    ],
)
def test_unreadable_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    error = load(tmp_path, text).error
    assert error is not None
    assert message in error
    assert str(tmp_path) in error


def test_missing_file_and_folder_are_errors(tmp_path: Path) -> None:
    assert "home directory" in (load_config("~no_such_user_here/mcp.json").error or "")
    assert "null byte" in (load_config("a\0b").error or "")
    assert "cannot be read: No such file" in (load_config(str(tmp_path / "none")).error or "")
    assert "is not a file" in (load_config(str(tmp_path)).error or "")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "needs a `url`, or a `command`"),
        ([], "valid dictionary"),
        ({"url": 5.5}, "must be a URL"),
        ({"url": ["x"]}, "url: "),
        ({"url": "ftp://example.com"}, "must be a URL"),
        ({"url": "http://exa mple.com:x/"}, "not a valid URL"),
        ({"url": "http://x/sse", "type": "sse"}, "old SSE transport"),
        ({"url": "http://x/", "headers": {"a b": "c"}}, "header's name"),
        ({"url": "http://x/", "headers": {"Key": "a\nb"}}, "printable ASCII"),
        ({"url": "http://x/", "headers": {"Key": "${input:key}"}}, "Placeholders such as"),
        ({"command": "a\0b"}, "NUL character"),
        ({"command": "a", "args": "b"}, "args: "),
    ],
)
def test_entry_that_cannot_be_used_says_why(tmp_path: Path, entry: Any, message: str) -> None:
    assert message in (load_server(tmp_path, entry).problem or "")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 61])
def test_odd_server_name_is_a_problem(tmp_path: Path, name: str) -> None:
    (server,) = load(tmp_path, {"mcpServers": {name: {"url": "http://x/"}}}).servers
    assert "A server's name must have" in (server.problem or "")
    assert server.name.isprintable()


def test_server_cannot_pass_for_what_is_built_in(tmp_path: Path) -> None:
    (server,) = load(tmp_path, {"mcpServers": {"built-in": {"url": "http://x/"}}}).servers
    assert server.problem == "A server cannot be named built-in."


def test_binding_is_of_the_address_and_the_headers() -> None:
    servers = [
        ServerConfig(name="a", url="http://x/mcp", headers={"Key": "1"}),
        ServerConfig(name="a", url="http://x/mcp", headers={"Key": "2"}),
        ServerConfig(name="a", url="http://y/mcp", headers={"Key": "1"}),
        ServerConfig(name="a", command="npx", args=("-y", "b")),
        ServerConfig(name="a", command="npx", args=("-y", "c")),
        ServerConfig(name="a", command="npx", args=("-y", "b"), env={"KEY": "1"}),
    ]
    assert len({server.binding for server in servers}) == len(servers)
    renamed = ServerConfig(name="b", url="http://x/mcp", headers={"key": "1"})
    assert renamed.binding == servers[0].binding
