"""Every knob of the page. The only module here that reads the environment."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


def _http_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as http://localhost:8000")
    if parts.username or parts.password:
        raise ValueError("must not carry a user or password; a key belongs into SMOLCHAT_API_KEY")
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


def _header_value(key: SecretStr) -> SecretStr:
    value = key.get_secret_value().strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be of printable ASCII characters: it is sent in a header")
    return SecretStr(value)


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

    # Where the API answers.
    api_base_url: Annotated[
        str, Field(validation_alias="API_BASE_URL"), AfterValidator(_http_url)
    ] = "http://localhost:8000"
    # Where a browser finds the API, if elsewhere: in Compose the page has a name of its own for it.
    api_public_url: Annotated[str, AfterValidator(_http_url)] | None = None
    # Names and addresses that are this computer too, with commas between: what is sent there does
    # not leave it.
    local_hosts: str = ""
    # Sent to the API as a bearer token, for an API that wants one.
    api_key: Annotated[SecretStr, AfterValidator(_header_value)] = SecretStr("")
    # How long the API may take to say what it knows: its own looks end within one second.
    api_look_seconds: Seconds = 3.0
    # How long an answer may stay silent: longer than the API itself waits for a model server.
    api_silence_seconds: Seconds = 660.0
    # How long an answer goes on when no page draws it any more: a closed tab, a reload.
    forsaken_seconds: Seconds = 20.0

    @classmethod
    def load(cls) -> Self:
        """Read the environment; end the program with one line a wrong value.

        Raises:
            SystemExit: a value is missing or wrong; the message names the variable.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SystemExit("\n".join(_format_errors(error))) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    def in_effect(self) -> dict[str, bool | int | float | str | None]:
        """Give each value by the name that a person sets; of a secret, whether it is set."""
        told = self.model_dump(mode="json")
        for field, value in self:
            if isinstance(value, SecretStr):
                told[field] = "set" if value.get_secret_value() else "not set"
        fields = type(self).model_fields
        return {
            _variable(str(fields[field].validation_alias or field)): value
            for field, value in told.items()
        }


def _variable(name: str) -> str:
    """Give the name of a setting in the environment."""
    return name if name.isupper() else f"SMOLCHAT_{name.upper()}"


def _format_errors(error: ValidationError) -> list[str]:
    """Say each wrong value with the name that a person set it by."""
    lines = []
    for detail in error.errors():
        name = _variable(str(detail["loc"][0]))
        lines.append(f"Wrong setting {name}: {detail['msg']} (set it in .env or the environment)")
    return lines
