"""Reads the MCP configuration file, in the `mcpServers` format of Claude, Cursor and LM Studio."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from backend.json_values import as_dict
from backend.tools.tool import BUILT_IN

MAX_FILE_BYTES = 1024 * 1024
MAX_SERVERS = 64
MAX_NAME_CHARACTERS = 60
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")

Transport = Literal["http", "stdio"]


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """One MCP server: at a URL, or a program. Its secrets are not in its `repr`."""

    name: str
    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    is_enabled: bool = True
    problem: str | None = None  # why it cannot be used

    @property
    def transport(self) -> Transport:
        return "stdio" if self.command else "http"

    @property
    def address(self) -> str:
        """The command, or the URL without what may be secret: its user and its query."""
        return self.command or display_url(self.url)

    @property
    def binding(self) -> str:
        """A hash of the address, headers and command. Approvals hold while it is the same."""
        identity = [
            self.url,
            sorted((name.lower(), value) for name, value in self.headers.items()),
            [self.command, *self.args],
            sorted(self.env.items()),
            self.cwd,
        ]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


@dataclass(frozen=True)
class McpConfig:
    """The servers of a file; `error` says why the file cannot be read, if so."""

    servers: tuple[ServerConfig, ...] = ()
    error: str | None = None


class _Entry(BaseModel):
    """One entry of the file. Fields of other programs are ignored, such as `autoApprove`."""

    model_config = ConfigDict(
        extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True, frozen=True
    )

    url: str | None = Field(None, validation_alias=AliasChoices("url", "serverUrl", "httpUrl"))
    headers: dict[str, str] | None = None
    command: str | None = None
    args: list[str] | None = None
    env: dict[str, str] | None = None
    cwd: str | None = None
    type: str | None = None
    disabled: bool = False


def load_config(path: str) -> McpConfig:
    """Read a file. An entry that cannot be used is a server with a problem."""
    if not path:
        return McpConfig()
    try:
        entries = _read_entries(Path(path).expanduser())
    except OSError as error:
        return McpConfig(error=f"{path} cannot be read: {error.strerror}.")
    except (ValueError, RuntimeError) as error:  # RuntimeError: the ~ of an unknown user
        return McpConfig(error=f"{path} {error}.")
    return McpConfig(tuple(_read_entry(name, entry) for name, entry in entries.items()))


def _read_entries(file: Path) -> dict[str, Any]:
    """Return the entries of a file by their names.

    Raises:
        OSError: It cannot be read.
        ValueError: It has none.
    """
    if file.exists() and not file.is_file():
        raise ValueError("is not a file")
    with file.open("rb") as stream:
        raw = stream.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"has more than {MAX_FILE_BYTES:,} bytes")
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON: it is not UTF-8, or nested too deeply") from None
    entries = as_dict(document).get("mcpServers")
    if not isinstance(entries, dict):
        raise ValueError("has no object `mcpServers`")  # noqa: TRY004  # not a wrong type of argument
    if len(entries) > MAX_SERVERS:
        raise ValueError(f"has more than {MAX_SERVERS} servers")
    return entries


def display_url(url: str) -> str:
    """Return a URL without its user, query and fragment."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx.InvalidURL:
        return ""


def _read_entry(name: str, value: Any) -> ServerConfig:
    shown = name if name.isprintable() else ascii(name)[1:-1]
    if not name.strip() or shown != name or len(name) > MAX_NAME_CHARACTERS:
        problem = f"A server's name must have 1 to {MAX_NAME_CHARACTERS} printable characters."
        return ServerConfig(name=shown[:MAX_NAME_CHARACTERS] or "(unnamed)", problem=problem)
    if name == BUILT_IN:
        return ServerConfig(name=name, problem=f"A server cannot be named {BUILT_IN}.")
    try:
        entry = _Entry.model_validate(value)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(map(str, detail["loc"])) or "The entry"
        return ServerConfig(name=name, problem=f"{where}: {detail['msg']}.")
    return ServerConfig(
        name=name,
        url=(entry.url or "").strip() if not entry.command else "",
        headers=entry.headers or {},
        command=entry.command or "",
        args=tuple(entry.args or ()),
        env=entry.env or {},
        cwd=entry.cwd,
        is_enabled=not entry.disabled,
        problem=_find_problem(entry),
    )


def _find_problem(entry: _Entry) -> str | None:
    texts = [entry.url or "", *(entry.headers or {}).values(), *(entry.env or {}).values()]
    if placeholder := _PLACEHOLDER.search("\n".join(texts)):
        return f"Placeholders such as {placeholder[0][:60]} are not supported. Write the value."
    if entry.command:
        return _find_program_problem(entry)
    if entry.type == "sse":
        return "The old SSE transport is not supported. Use the server's Streamable HTTP URL."
    if not entry.url:
        return "It needs a `url`, or a `command`."
    return _find_url_problem(entry.url) or _find_header_problem(entry.headers or {})


def _find_program_problem(entry: _Entry) -> str | None:
    parts = [entry.command or "", *(entry.args or ()), *(entry.env or {}), entry.cwd or ""]
    parts += (entry.env or {}).values()
    return "Its command has a NUL character." if any("\0" in part for part in parts) else None


def _find_url_problem(url: str) -> str | None:
    try:
        parts = httpx.URL(url.strip())
        parts.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return "Its `url` is not a valid URL."
    if parts.scheme not in ("http", "https") or not parts.host:
        return "Its `url` must be a URL such as http://localhost:3000/mcp."
    return None


def _find_header_problem(headers: Mapping[str, str]) -> str | None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            return "A header's name is not valid."
        if not (value.isascii() and value.isprintable()):
            return f"The header {name[:60]} must be printable ASCII."
    return None
