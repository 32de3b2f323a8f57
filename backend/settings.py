"""The API's settings. The only module in `backend` that reads the environment."""

import json
import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.request import getproxies_environment

import httpx
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from backend.proxies import is_proxied

PROJECT_ROOT = Path(__file__).resolve().parent.parent

SettingValue = bool | int | float | str | list[str]

_HOST_NAME = r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?"


def _http_url(value: str) -> str:
    # In a URL, the zone of an IPv6 address is %25eth0 (RFC 6874); sockets know only %eth0.
    url = re.sub(r"(\[[0-9A-Fa-f:.]+%)25(?=[^]])", r"\1", value.strip().rstrip("/"))
    try:
        parts = httpx.URL(url)
        parts.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("must be a valid URL") from None
    has_valid_port = parts.port is None or 1 <= parts.port <= 65535
    if re.search(r"\][^:/]", url):  # the port of [::1]8000
        has_valid_port = False
    if parts.scheme not in ("http", "https") or not parts.host or not has_valid_port:
        raise ValueError("must be a URL such as http://localhost:12434/engines/llama.cpp/v1")
    if parts.userinfo or "?" in url or "#" in url:
        raise ValueError("must not contain a user, ? or #; an API key belongs in DMR_API_KEY")
    return url


def _model_id(value: str) -> str:
    if not value.strip() or not value.strip().isprintable():
        raise ValueError("must be a model id, on one line")
    return value.strip()


def _database_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value().strip()
    if not url:
        return SecretStr("")
    try:
        has_at_sign = "@" in (make_url(url).host or "")
    except (ArgumentError, ValueError):
        has_at_sign, url = False, ""
    if not re.match(r"(sqlite|postgres(ql)?)(\+[a-z0-9]+)?://.", url):
        raise ValueError("must be a URL such as postgresql://user:password@host/database")
    if has_at_sign:  # the part of the password after it would be taken for the host, and shown
        raise ValueError("must have %40 for an @ in the user or password")
    return SecretStr(url)


def _header_value(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("must be printable ASCII: it is sent in a header")
    return SecretStr(key)


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.match(r'\s*\[\s*["\]]', value):  # not the bracket of an IPv6 address
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be comma-separated, or a JSON list") from None
    return [name.strip() for name in value.split(",") if name.strip()]


def _host(name: str) -> str:
    if _ipv6_address(name) is None and name != "*" and not re.fullmatch(_HOST_NAME, name):
        raise ValueError("must be host names without a scheme or port, or *")
    return name.lower().removesuffix(".")


def _ipv6_address(text: str) -> IPv6Address | None:
    """Return the IPv6 address, with or without brackets, or None."""
    try:
        address = ip_address(text[1:-1] if re.fullmatch(r"\[.*\]", text) else text)
    except ValueError:
        return None
    return address if isinstance(address, IPv6Address) else None


def _origin(value: str) -> str:
    """Return the origin as browsers send it."""
    pattern = rf"(?P<scheme>https?)://(?P<host>{_HOST_NAME}|\[.+\])(?::(?P<port>\d{{1,5}}))?/?"
    match = re.fullmatch(pattern, value.lower())
    address = _ipv6_address(match["host"]) if match else None
    is_host = match is not None and (address is not None or not match["host"].startswith("["))
    if match is None or not is_host or not 1 <= int(match["port"] or 1) <= 65535:
        raise ValueError("must be origins such as https://notes.example, without a path, and not *")
    default_port = 443 if match["scheme"] == "https" else 80
    port = int(match["port"] or default_port)
    host = f"[{address.compressed}]" if address else match["host"]
    return f"{match['scheme']}://{host}{'' if port == default_port else f':{port}'}"


def _prefer_lower_case(value: Any, info: ValidationInfo) -> Any:
    """Return the environment's value: where `http_proxy` and `HTTP_PROXY` differ, the first."""
    scheme = (info.field_name or "").removesuffix("_proxy")
    value = getproxies_environment().get(scheme, value)
    return value.strip() if isinstance(value, str) else value


def _proxy_url(value: str) -> str:
    """Return the URL of a proxy, whose scheme may be left out."""
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
        is_valid = url.scheme in ("http", "https") and url.host and url.port != 0
        "".join((url.username, url.password)).encode("latin-1")  # as they are sent
    except (httpx.InvalidURL, UnicodeError):
        is_valid = False
    if not is_valid:
        raise ValueError(
            "must be a proxy such as http://user:password@proxy.example:3128; SOCKS is not "
            "supported. Requests for hosts in NO_PROXY go through no proxy"
        )
    return str(url)


def _proxy_without_password(proxy: SecretStr) -> str:
    if not proxy:
        return "not set"
    try:
        url = httpx.URL(_proxy_url(proxy.get_secret_value()))
    except ValueError:
        return "set"
    return str(url.copy_with(userinfo=b"", raw_path=b"/")).rstrip("/")


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Secret = Annotated[SecretStr, PlainSerializer(lambda secret: "set" if secret else "not set")]
ApiKey = Annotated[Secret, AfterValidator(_header_value)]
Proxy = Annotated[
    SecretStr, BeforeValidator(_prefer_lower_case), PlainSerializer(_proxy_without_password)
]
# In the environment: comma-separated, or a JSON list.
Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]


class Settings(BaseSettings):
    """Read once at start; the environment beats `.env`, which beats the defaults."""

    model_config = SettingsConfigDict(
        alias_generator=lambda field: f"SMOLCHAT_{field.upper()}",
        populate_by_name=True,
        env_prefix="SMOLCHAT_",
        env_file=PROJECT_ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # The default model of a request.
    model_id: Annotated[str, Field(alias="MODEL_ID"), AfterValidator(_model_id)]
    # The model server: its root, or an OpenAI prefix below it.
    dmr_base_url: Annotated[str, Field(alias="DMR_BASE_URL"), AfterValidator(_http_url)] = (
        "http://localhost:12434/engines/llama.cpp/v1"
    )
    # The bearer token for the model server. Docker Model Runner ignores it; others may require one.
    dmr_api_key: Annotated[ApiKey, Field(alias="DMR_API_KEY")] = SecretStr("")
    # The proxies for a model server that is neither local nor in NO_PROXY.
    no_proxy: Annotated[str, Field(alias="NO_PROXY"), BeforeValidator(_prefer_lower_case)] = ""
    http_proxy: Annotated[Proxy, Field(alias="HTTP_PROXY")] = SecretStr("")
    https_proxy: Annotated[Proxy, Field(alias="HTTPS_PROXY")] = SecretStr("")
    all_proxy: Annotated[Proxy, Field(alias="ALL_PROXY")] = SecretStr("")
    # The bearer token that clients must send; empty: none.
    api_key: ApiKey = SecretStr("")
    # Accepted `Host` names, besides localhost and any IP address; * accepts any.
    allowed_hosts: Hosts = ()
    # Origins whose pages may call the API from a browser (CORS).
    allowed_origins: Origins = ()
    # The largest request body.
    max_body_bytes: Annotated[int, Field(ge=1, le=2**40)] = 8 * 1024 * 1024
    # The largest total of the request bodies that are in memory at once.
    max_total_body_bytes: Annotated[int, Field(ge=1, le=2**40)] = 48 * 1024 * 1024
    # The minimum rate at which a body has to arrive, in bytes per second.
    min_body_rate: Annotated[int, Field(ge=0, le=2**30)] = 16 * 1024
    # The largest head of a request (URL and headers), the most headers in it, and how long it may
    # take to arrive.
    max_head_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 64 * 1024
    max_headers: Annotated[int, Field(ge=16, le=100_000)] = 128
    head_seconds: Seconds = 10.0
    # How many clients may be connected. A lower limit on open files (`ulimit -n`) lowers it.
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    # How many values the JSON of a request may have, names of objects included: parsed, they take
    # many times the memory of their text, and nothing else runs in that time.
    max_json_values: Annotated[int, Field(ge=100, le=10**9)] = 100_000
    # The folder of the SQLite database, and the URL of a database to use instead. Postgres lets
    # several API processes share one.
    data_dir: Annotated[Path, AfterValidator(Path.expanduser), AfterValidator(Path.absolute)] = (
        PROJECT_ROOT / "data"
    )
    database_url: Annotated[Secret, AfterValidator(_database_url)] = SecretStr("")
    # The time limit of a search in the stored conversations, and how many run at once; more wait.
    search_seconds: Seconds = 30.0
    max_searches: Annotated[int, Field(ge=1, le=100)] = 4
    # The largest file of conversations that can be imported.
    max_import_bytes: Annotated[int, Field(ge=1, le=2**40)] = 64 * 1024 * 1024
    # How many conversations and messages one import may have, together.
    max_import_messages: Annotated[int, Field(ge=1, le=2**40)] = 500_000
    # How many JSON values a chat of an import may have, names of objects included; in
    # SmolChat's exports each message may have as many.
    max_import_values: Annotated[int, Field(ge=1000, le=2**40)] = 1_000_000
    # The largest message of an import, as it is stored.
    max_import_message_bytes: Annotated[int, Field(ge=1000, le=2**40)] = 8 * 1024 * 1024
    # The memory and the time for reading a file that is imported, in a process of its own.
    import_memory_bytes: Annotated[int, Field(ge=2**20, le=2**40)] = 160 * 1024 * 1024
    import_seconds: Seconds = 120.0
    # How many imports may be uploaded and wait; they are read and stored one after the other.
    max_imports: Annotated[int, Field(ge=1, le=1000)] = 4
    # The largest file that can be uploaded, the largest total of all files that are stored, and
    # how many of them are read at once.
    max_file_bytes: Annotated[int, Field(ge=1, le=2**40)] = 256 * 1024 * 1024
    max_files_bytes: Annotated[int, Field(ge=1, le=2**50)] = 4 * 1024 * 1024 * 1024
    max_file_reads: Annotated[int, Field(ge=1, le=64)] = 2
    # A model of the model server that embeds texts; with one, search in files also finds passages
    # whose words differ from the question's. Empty: search is by words alone.
    embedding_model: Annotated[str, Field(max_length=500)] = ""
    # A model of the model server that reranks texts: it puts what a search in files finds in order.
    rerank_model: Annotated[str, Field(max_length=500)] = ""
    # How many images a request may have, the largest one, in bytes and in pixels, and the longest
    # side with which it is sent: a larger image is scaled down.
    max_images: Annotated[int, Field(ge=1, le=1000)] = 16
    max_image_bytes: Annotated[int, Field(ge=1000, le=2**30)] = 8 * 1024 * 1024
    max_image_pixels: Annotated[int, Field(ge=1000, le=2**28)] = 40_000_000
    max_image_edge: Annotated[int, Field(ge=16, le=16_384)] = 2048
    # Whether images may be given as http and https URLs, which the model server then fetches.
    remote_images: bool = False
    # For how many days a deleted conversation can be restored; 0 deletes it at once.
    trash_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] = 30.0
    # How many messages a conversation may have.
    max_conversation_messages: Annotated[int, Field(ge=2, le=2**40)] = 10_000
    # The default `max_tokens` of a request: small models can repeat themselves endlessly.
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1024
    # The time limit for connecting to the model server, and for its model list.
    connect_timeout_seconds: Seconds = 5.0
    # How long the model server may send nothing. Docker Model Runner is silent while it loads a
    # model, for up to 300 s, and starts over if the client gives up before.
    read_timeout_seconds: Seconds = 600.0
    # How long a started stream may stall: the model server sends nothing, or the client reads
    # nothing.
    stall_seconds: Seconds = 120.0
    # The longest answer of the model server that is not streamed, and how much of a stream's text
    # and token probabilities is kept to store or validate it; the longest event of a stream; and
    # the most JSON values of either, which take many times the memory of their text.
    max_response_bytes: Annotated[int, Field(ge=1000, le=2**40)] = 8 * 1024 * 1024
    max_event_bytes: Annotated[int, Field(ge=1000, le=2**40)] = 2 * 1024 * 1024
    max_response_values: Annotated[int, Field(ge=1000, le=10**9)] = 500_000
    # Whether to make Docker Model Runner load the model when the API starts.
    preload: bool = True
    # How long after its last response a model of Docker Model Runner is taken to be in memory.
    server_check_seconds: Seconds = 2.0
    # How long what was learned about the model server is used before it is checked again: which
    # fields it refuses, whether it enforces a schema, how large a model's context is.
    capability_seconds: Seconds = 300.0
    # How many requests the model server gets at once, and how many more may be queued.
    max_concurrent: Annotated[int, Field(ge=1, le=100_000)] = 1024
    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = 256
    # Whether a request may bring a grammar in llama.cpp's own language (GBNF). Some of them crash a
    # model server or block it for minutes, and no check finds them: only for trusted clients.
    raw_grammar: bool = False
    # How many attempts a structured output gets, and the time limit for all of them.
    structured_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    structured_seconds: Seconds = 300.0
    # The time limit of all tool calls of an answer that the API runs, and how much of a result the
    # model gets: small models have small contexts.
    tools_seconds: Seconds = 120.0
    tool_result_characters: Annotated[int, Field(ge=200, le=2**24)] = 4000
    # A file of MCP servers in the `mcpServers` notation, and whether it may name programs to run.
    mcp_config: str = ""
    mcp_stdio: bool = False
    # How long an answer with `smolchat.detach` goes on after its client has left, and how many such
    # answers may be in progress, with or without their clients.
    detached_seconds: Seconds = 600.0
    max_detached: Annotated[int, Field(ge=0, le=100_000)] = 256
    # How long a stream's status code waits for the first event of the model server, and how often a
    # comment keeps the connection alive after that.
    first_event_seconds: Seconds = 10.0
    keep_alive_seconds: Seconds = 10.0
    # The time limit for the model server check of /healthz and /readyz, which take little longer.
    probe_timeout_seconds: Annotated[float, Field(gt=0, lt=1)] = 0.4

    @field_validator("http_proxy", "https_proxy", "all_proxy")
    @classmethod
    def _check_proxy_in_use(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Check the proxy of the model server. Others are for other programs and may be anything.

        Raises:
            ValueError: It is not an HTTP proxy.
        """
        url = info.data.get("dmr_base_url")
        own_name = f"{httpx.URL(url).scheme}_proxy" if url else ""
        is_own = info.field_name == own_name
        is_fallback = info.field_name == "all_proxy" and not info.data.get(own_name)
        if url and value and (is_own or is_fallback) and is_proxied(url, info.data["no_proxy"]):
            _proxy_url(value.get_secret_value())
        return value

    @property
    def model_server_proxy(self) -> SecretStr | None:
        """The URL of the proxy through which the model server is requested, or None."""
        return self.proxy_for(self.dmr_base_url)

    def proxy_for(self, url: str) -> SecretStr | None:
        """Return the URL of the proxy through which a URL is requested, or None.

        Raises:
            ValueError: It is not an HTTP proxy. The model server's has been checked.
        """
        is_https = url.startswith("https:")
        proxy = (self.https_proxy if is_https else self.http_proxy) or self.all_proxy
        if not proxy or not is_proxied(url, self.no_proxy):
            return None
        return SecretStr(_proxy_url(proxy.get_secret_value()))

    @classmethod
    def load(cls) -> Self:
        """Read the environment and `.env`.

        Raises:
            SystemExit: A value is missing or invalid; the message names its variable.
        """
        try:
            return cls()  # type: ignore[call-arg]  # the environment fills it
        except ValidationError as error:
            raise SystemExit(
                "\n".join(
                    f"Invalid setting {detail['loc'][0]}: "
                    f"{detail['msg'].removeprefix('Value error, ')}. "
                    "Set it in .env or the environment."
                    for detail in error.errors()
                )
            ) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    def effective_values(self) -> dict[str, SettingValue]:
        """Return each value by its environment variable; of a secret, whether it is set."""
        return self.model_dump(mode="json", by_alias=True)
