"""What the model server offers."""

import re
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from backend.http.error_handlers import ERROR_RESPONSES
from backend.json_values import as_count, as_str
from backend.model_server.model_ids import listed
from backend.state import AppStateDep

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
        created=as_count(entry.get("created")) or 0,
        owned_by=owner if isinstance(owner, str) else "",
        smolchat=_facts(entry),
    )


def _facts(entry: dict[str, Any]) -> ModelFacts:
    """Read what Docker Model Runner (`dmr`) or llama.cpp (`meta`) adds to an entry."""
    if isinstance(told := entry.get("dmr"), dict):
        return ModelFacts(
            parameters=_spaced(told.get("parameters")),
            quantization=as_str(told.get("quantization")).removeprefix("MOSTLY_") or None,
            size=_spaced(told.get("size")),
            context_window=as_count(told.get("context_window")) or None,
            architecture=as_str(told.get("architecture")) or None,
        )
    if isinstance(told := entry.get("meta"), dict):
        parameters, size = as_count(told.get("n_params")), as_count(told.get("size"))
        return ModelFacts(
            parameters=_millions(parameters) if parameters else None,
            quantization=as_str(told.get("ftype")) or None,
            size=f"{size / 2**20:.2f} MiB" if size else None,
            context_window=as_count(told.get("n_ctx")) or as_count(told.get("n_ctx_train")) or None,
        )
    return ModelFacts()


def _millions(count: int) -> str:
    """Write a number of parameters as Docker Model Runner does: 134.52 M, 1.71 B."""
    return f"{count / 1e6:.2f} M" if count < 1e9 else f"{count / 1e9:.2f} B"


def _spaced(value: object) -> str | None:
    """Write a quantity with a space before its unit: 134.52M as 134.52 M."""
    return re.sub(r"(?<=\d)(?=[A-Za-z])", " ", value) if isinstance(value, str) and value else None
