"""Every knob of the API. The only module here that reads the environment."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]

SettingValue = bool | int | float | str | list[str]

_HOST_NAME = r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?"


def _http_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as http://localhost:12434/engines/llama.cpp/v1")
    if parts.username or parts.password:
        raise ValueError("must not carry a user or password; a key belongs into DMR_API_KEY")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path, without ? or #")
    if parts.port == 0:
        raise ValueError("must have a port from 1 to 65535")
    try:
        httpx.URL(url.strip())
        parts.hostname.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("has characters that no address has") from None
    return url.strip().rstrip("/")


def _model_id(name: str) -> str:
    if not name.strip() or not name.strip().isprintable():
        raise ValueError("must be a model's id, on one line")
    return name.strip()


def _database_url(url: SecretStr) -> SecretStr:
    told = url.get_secret_value().strip()
    if told and not re.match(r"(sqlite|postgres(ql)?)(\+[a-z0-9]+)?://.", told):
        raise ValueError("must be an address such as postgresql://user:password@host/database")
    return SecretStr(told)


def _header_value(key: SecretStr) -> SecretStr:
    value = key.get_secret_value().strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be of printable ASCII characters: it is sent in a header")
    return SecretStr(value)


def _split(names: Any) -> Any:
    if not isinstance(names, str):
        return names
    if names.lstrip().startswith("["):
        try:
            return json.loads(names)
        except ValueError:
            raise ValueError("must be names with commas between, or a JSON list") from None
    return [name.strip() for name in names.split(",") if name.strip()]


def _host(name: str) -> str:
    if name != "*" and not re.fullmatch(_HOST_NAME, name):
        raise ValueError("must be names of hosts, without scheme and port, or *")
    return name.lower().removesuffix(".")


def _origin(origin: str) -> str:
    """Write an origin as browsers do."""
    origin = origin.lower().removesuffix("/")
    if not re.fullmatch(rf"https?://({_HOST_NAME}|\[[0-9a-f:.]+\])(:\d{{1,5}})?", origin):
        raise ValueError("must be origins such as https://notes.example, without a path, and not *")
    usual_port = ":443" if origin.startswith("https") else ":80"
    return origin.removesuffix(usual_port)


# In the environment: with commas between, or a JSON list.
Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]


class Settings(BaseSettings):
    """Read once at start; the environment beats `.env`, which beats the defaults."""

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env",
        env_prefix="SMOLCHAT_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    # The model that answers when a request names none.
    model_id: Annotated[str, Field(validation_alias="MODEL_ID"), AfterValidator(_model_id)]
    # The model server: the root, or any OpenAI prefix below it, with or without a slash.
    dmr_base_url: Annotated[
        str, Field(validation_alias="DMR_BASE_URL"), AfterValidator(_http_url)
    ] = "http://localhost:12434/engines/llama.cpp/v1"
    # Sent as a bearer token. Docker Model Runner ignores it; other servers may want one.
    dmr_api_key: Annotated[
        SecretStr, Field(validation_alias="DMR_API_KEY"), AfterValidator(_header_value)
    ] = SecretStr("")
    # What a client has to send as a bearer token; none asks for nothing.
    api_key: Annotated[SecretStr, AfterValidator(_header_value)] = SecretStr("")
    # Names that the API may be called by, besides localhost and any IP address; * is any name.
    allowed_hosts: Hosts = ()
    # Sites whose pages may use the API from a browser.
    allowed_origins: Origins = ()
    # How long the body of a request may be.
    max_body_bytes: Annotated[int, Field(ge=1, le=2**40)] = 8 * 1024 * 1024
    # The folder that conversations are kept in, and the database that takes its place. Postgres
    # lets several APIs share it.
    data_dir: Annotated[Path, AfterValidator(Path.expanduser), AfterValidator(Path.absolute)] = (
        PROJECT_ROOT / "data"
    )
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("")
    # How long a file of conversations may be that is brought in.
    max_import_bytes: Annotated[int, Field(ge=1, le=2**40)] = 64 * 1024 * 1024
    # Tokens an answer may have when the request does not say: small models can loop for ever.
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1024
    # How long the model server may take to accept a connection, and to list its models.
    connect_timeout_seconds: Seconds = 5.0
    # How long the model server may stay silent. Docker Model Runner sends nothing while it loads
    # a model, for up to 300 s; a reader who gives up earlier makes it start again.
    read_timeout_seconds: Seconds = 600.0
    # How long it may stay silent in the middle of an answer, and a client may read nothing of it.
    stall_seconds: Seconds = 120.0
    # Whether Docker Model Runner is told to load the model as soon as the API starts.
    preload: bool = True
    # How long after its last answer a model is taken to be loaded there: it unloads what has been
    # idle for 300 s, unless a model's `keep_alive` says otherwise.
    loaded_seconds: Seconds = 240.0
    # How many requests the model server gets at once, and how many more wait for their turn.
    max_concurrent: Annotated[int, Field(ge=1, le=100_000)] = 1024
    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = 256
    # Whether a request may bring a grammar in llama.cpp's own language. Nothing can tell which of
    # them end a model server, or hold it for minutes: for where every client is trusted.
    raw_grammar: bool = False
    # How often an answer that has to fit a schema is drawn, and how long a request for it may take.
    structured_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    structured_seconds: Seconds = 300.0
    # How long a stream's status waits for the model's first event, and, once that has passed,
    # how often a comment keeps the line open.
    first_event_seconds: Seconds = 10.0
    keep_alive_seconds: Seconds = 10.0
    # How long a look at the model server may take for /healthz, /readyz; they answer within 1 s.
    probe_timeout_seconds: Annotated[float, Field(gt=0, lt=1)] = 0.7

    @classmethod
    def load(cls) -> Self:
        """Read the environment; end the program with one line a wrong value.

        Raises:
            SystemExit: a value is missing or wrong; the message names the variable.
        """
        try:
            return cls()  # type: ignore[call-arg]  # the environment fills it
        except ValidationError as error:
            raise SystemExit("\n".join(_format_errors(error))) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    def effective_values(self) -> dict[str, SettingValue]:
        """Give each value by the name that a person sets; of a secret, whether it is set."""
        told: dict[str, SettingValue] = self.model_dump(mode="json")
        for field, value in self:
            if isinstance(value, SecretStr):
                told[field] = "set" if value.get_secret_value() else "not set"
        fields = type(self).model_fields
        return {
            _env_name(str(fields[field].validation_alias or field)): value
            for field, value in told.items()
        }


def _env_name(name: str) -> str:
    """Give the name of a setting in the environment."""
    return name if name.isupper() else f"SMOLCHAT_{name.upper()}"


def _format_errors(error: ValidationError) -> list[str]:
    """Say each wrong value with the name that a person set it by."""
    lines = []
    for detail in error.errors():
        name = _env_name(str(detail["loc"][0]))
        lines.append(f"Wrong setting {name}: {detail['msg']} (set it in .env or the environment)")
    return lines
