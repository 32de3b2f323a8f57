"""A preset as the API keeps it."""

from typing import Any

from pydantic import AwareDatetime, BaseModel


class Preset(BaseModel):
    """Sampling parameters under a name."""

    name: str
    parameters: dict[str, Any]
    updated_at: AwareDatetime


class PresetList(BaseModel):
    data: list[Preset]
