"""The addresses of the API and the page, read as they read them themselves."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_LOCAL_URL = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::([0-9]+))?/?")


def _local_url(value: str) -> str:
    match = _LOCAL_URL.fullmatch(value.strip())
    if not match or not 1 <= int(match[1] or 80) <= 65535:
        raise ValueError(
            "must be an address of this machine such as http://localhost:8000, because the API is "
            "started there"
        )
    return value.strip()


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
    def api_port(self) -> int:
        match = _LOCAL_URL.fullmatch(self.api_base_url)
        return int((match and match[1]) or 80)

    @property
    def page_url(self) -> str:
        return f"http://localhost:{self.ui_port}"
