"""What the model server offers."""

import re
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from backend.dependencies import AppStateDep
from backend.errors import ERROR_RESPONSES
from backend.model_id import listed
from backend.openai_types import MAX_NUMBER

router = APIRouter(tags=["models"])


class ModelFacts(BaseModel):
    """What is known of a model; what the server does not tell is null."""

    parameters: str | None = None
    quantization: str | None = None
    size: str | None = None
    context_window: int | None = None
    architecture: str | None = None


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""
    smolchat: ModelFacts


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/v1/models", responses=ERROR_RESPONSES)
@router.get("/models", responses=ERROR_RESPONSES)
async def list_models(state: AppStateDep) -> ModelList:
    """List the models that can be asked for, with what is known of each."""
    return ModelList(data=[_model(entry) for entry in await state.model_server.models()])


def _model(entry: dict[str, Any]) -> Model:
    owner = entry.get("owned_by")
    return Model(
        id=listed(entry["id"]),
        created=_count(entry.get("created")) or 0,
        owned_by=owner if isinstance(owner, str) else "",
        smolchat=_facts(entry),
    )


def _facts(entry: dict[str, Any]) -> ModelFacts:
    """Read what Docker Model Runner (`dmr`) or llama.cpp (`meta`) adds to an entry."""
    if isinstance(told := entry.get("dmr"), dict):
        return ModelFacts(
            parameters=_spaced(told.get("parameters")),
            quantization=(_text(told.get("quantization")) or "").removeprefix("MOSTLY_") or None,
            size=_spaced(told.get("size")),
            context_window=_count(told.get("context_window")),
            architecture=_text(told.get("architecture")),
        )
    if isinstance(told := entry.get("meta"), dict):
        parameters, size = _count(told.get("n_params")), _count(told.get("size"))
        return ModelFacts(
            parameters=_millions(parameters) if parameters else None,
            quantization=_text(told.get("ftype")),
            size=f"{size / 2**20:.2f} MiB" if size else None,
            context_window=_count(told.get("n_ctx")) or _count(told.get("n_ctx_train")),
        )
    return ModelFacts()


def _millions(count: int) -> str:
    """Write a number of parameters as Docker Model Runner does: 134.52 M, 1.71 B."""
    return f"{count / 1e6:.2f} M" if count < 1e9 else f"{count / 1e9:.2f} B"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    # JSON's true is an int too, and one of 400 digits would be too large for anything.
    return value if type(value) is int and 0 < value <= MAX_NUMBER else None


def _spaced(value: object) -> str | None:
    """Write a quantity with a space before its unit: 134.52M as 134.52 M."""
    return re.sub(r"(?<=\d)(?=[A-Za-z])", " ", value) if isinstance(value, str) and value else None
