"""The page's settings. The only module in `frontend` that reads the environment."""

from pathlib import Path
from typing import Annotated, Self

import httpx
from pydantic import AfterValidator, Field, PlainSerializer, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def _http_url(value: str) -> str:
    url = value.strip().rstrip("/")
    try:
        parts = httpx.URL(url)
        parts.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("must be a valid URL") from None
    has_valid_port = parts.port is None or 1 <= parts.port <= 65535
    if parts.scheme not in ("http", "https") or not parts.host or not has_valid_port:
        raise ValueError("must be a URL such as http://localhost:8000")
    if parts.userinfo or "?" in url or "#" in url:
        raise ValueError("must not contain a user, ? or #; an API key belongs in SMOLCHAT_API_KEY")
    return url


def _header_value(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value().strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("must be printable ASCII: it is sent in a header")
    return SecretStr(key)


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
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
    # Comma-separated names and addresses that also mean this computer: a model server there is
    # labelled as local.
    local_hosts: str = ""
    # The bearer token for the API, if it requires one.
    api_key: Annotated[Secret, AfterValidator(_header_value)] = SecretStr("")
    # The time limit for status requests; the API's own checks end within one second.
    api_look_seconds: Seconds = 3.0
    # How long a response may be silent: longer than the API itself waits for a model server.
    api_silence_seconds: Seconds = 660.0
    # How long a response continues when no page shows it any more (closed tab, reload).
    forsaken_seconds: Seconds = 20.0

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

    def effective_values(self) -> dict[str, bool | int | float | str | None]:
        """Return each value by its environment variable; of a secret, whether it is set."""
        return self.model_dump(mode="json", by_alias=True)
