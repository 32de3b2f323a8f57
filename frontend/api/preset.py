"""A stored preset."""

from typing import Any

from pydantic import AwareDatetime, BaseModel


class Preset(BaseModel):
    """A named set of sampling parameters."""

    name: str
    parameters: dict[str, Any]
    updated_at: AwareDatetime


class PresetList(BaseModel):
    data: list[Preset]
