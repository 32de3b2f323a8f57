"""The page's settings. The only module in `frontend` that reads the environment."""

import json
import re
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

SettingValue = bool | int | float | str | list[str] | None

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


def canonical_host(host: str) -> str:
    """Return a host name or IP address, with or without brackets, in the form to compare."""
    host = host.lower().removesuffix(".")
    with suppress(ValueError):
        address = ip_address(re.sub(r"^\[(.*:.*)\]$", r"\1", host).replace("%25", "%"))
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return host


def is_loopback(host: str) -> bool:
    """Return True if a host in canonical form is this computer, whatever its name."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


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
        raise ValueError("must be a URL such as http://localhost:8000")
    if parts.userinfo or "?" in url or "#" in url:
        raise ValueError("must not contain a user, ? or #; an API key belongs in SMOLCHAT_API_KEY")
    return url


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
    host = canonical_host(name.strip())
    try:
        ip_address(host)
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            raise ValueError(
                "must be host names or IP addresses, without a scheme or port"
            ) from None
    return host


def _allowed_host(name: str) -> str:
    return "*" if name.strip() == "*" else _host(name)


def _header_value(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("must be printable ASCII: it is sent in a header")
    return SecretStr(key)


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
# In the environment: comma-separated, or a JSON list.
Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)
]
AllowedHosts = Annotated[
    tuple[Annotated[str, AfterValidator(_allowed_host)], ...], NoDecode, BeforeValidator(_split)
]
Secret = Annotated[SecretStr, PlainSerializer(lambda secret: "set" if secret else "not set")]


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

    # The API's address.
    api_base_url: Annotated[str, Field(alias="API_BASE_URL"), AfterValidator(_http_url)] = (
        "http://localhost:8000"
    )
    # The API's address for browsers, if it differs: inside Compose the page uses a private name.
    api_public_url: Annotated[str, AfterValidator(_http_url)] | None = None
    # Accepted `Host` names, besides localhost and any IP address; * accepts any. The API's, too.
    allowed_hosts: AllowedHosts = ()
    # Names and addresses that also mean this computer: a model server there is labelled as local.
    local_hosts: Hosts = ()
    # The bearer token for the API, if it requires one.
    api_key: Annotated[Secret, AfterValidator(_header_value)] = SecretStr("")
    # The time limit for status requests; the API's own checks end within one second.
    api_look_seconds: Seconds = 3.0
    # How long a response may be silent: longer than the API itself waits for a model server.
    api_silence_seconds: Seconds = 660.0
    # The largest file that can be uploaded. The API's, too.
    max_file_bytes: Annotated[int, Field(ge=1, le=2**40)] = 256 * 1024 * 1024

    @classmethod
    def load(cls) -> Self:
        """Read the environment and `.env`.

        Raises:
            SystemExit: A value is invalid; the message names its variable.
        """
        try:
            return cls()
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
