"""The addresses of the API and the page, read as they read them themselves."""

import re
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.settings import canonical_host, url_of

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Where a program listens that is reached as localhost; a name can mean several addresses.
LOCALHOST = "127.0.0.1"


def _local_url(value: str) -> str:
    """Return the URL as scheme, host and port."""
    with suppress(ValueError):
        url = urlsplit(value.strip())
        host, port = canonical_host(url.hostname or ""), 80 if url.port is None else url.port
        has_other_parts = (
            re.search(r"@|\][^:]", url.netloc) or url.path.strip("/") or url.query or url.fragment
        )
        is_local = host == "localhost" or ip_address(host).is_loopback
        if url.scheme == "http" and is_local and port and not has_other_parts:
            return url_of(host, port)
    raise ValueError(
        "must be an address of this machine such as http://localhost:8000, because the API is "
        "started there"
    )


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

    # Where the page expects the API: it is started there.
    api_base_url: Annotated[str, Field(alias="API_BASE_URL"), AfterValidator(_local_url)] = (
        "http://localhost:8000"
    )
    # The API's own key: without it, the API does not say which model server it uses.
    api_key: SecretStr = SecretStr("")
    # The page's port.
    ui_port: Annotated[int, Field(ge=1, le=65535)] = 8501

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

    @property
    def api_host(self) -> str:
        """The IP address on which the API listens."""
        host = canonical_host(str(urlsplit(self.api_base_url).hostname))
        return LOCALHOST if host == "localhost" else host

    @property
    def api_port(self) -> int:
        return urlsplit(self.api_base_url).port or 80

    @property
    def page_url(self) -> str:
        return f"http://localhost:{self.ui_port}"
