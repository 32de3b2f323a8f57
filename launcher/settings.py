"""Where the API and the page listen, read as they themselves read it."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_LOCAL_URL = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::([0-9]+))?/?")


def _local_url(url: str) -> str:
    match = _LOCAL_URL.fullmatch(url.strip())
    if not match or not 1 <= int(match[1] or 80) <= 65535:
        raise ValueError(
            "must be an address of this machine such as http://localhost:8000, since the API is "
            "started there"
        )
    return url.strip()


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

    # Where the page looks for the API: the API is started there.
    api_base_url: Annotated[
        str, Field(validation_alias="API_BASE_URL"), AfterValidator(_local_url)
    ] = "http://localhost:8000"
    # Where the page is.
    ui_port: Annotated[int, Field(ge=1, le=65535)] = 8501

    @classmethod
    def load(cls) -> Self:
        """Read the settings.

        Raises:
            SystemExit: a value is wrong; the message names the variable.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SystemExit("\n".join(_format_errors(error))) from None
        except UnicodeDecodeError:
            raise SystemExit("The file .env is not UTF-8. Save it as UTF-8.") from None

    @property
    def api_port(self) -> int:
        match = _LOCAL_URL.fullmatch(self.api_base_url)
        return int((match and match[1]) or 80)

    @property
    def page_url(self) -> str:
        return f"http://localhost:{self.ui_port}"


def _format_errors(error: ValidationError) -> list[str]:
    """Say each wrong value with the name that a person set it by."""
    lines = []
    for detail in error.errors():
        name = str(detail["loc"][0])
        variable = name if name.isupper() else f"SMOLCHAT_{name.upper()}"
        reason = detail["msg"].removeprefix("Value error, ")
        lines.append(f"Wrong setting {variable}: {reason} (set it in .env or the environment)")
    return lines
