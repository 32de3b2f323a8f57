"""HTTP routes for the models of the model server: all, or one by its name."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from backend.errors import ModelNotFoundError
from backend.http.error_handlers import MODEL_SERVER_RESPONSES
from backend.json_values import as_count, as_str
from backend.model_server.model_ids import display_id, find_named_model, same_model
from backend.state import AppState, AppStateDep

router = APIRouter(tags=["models"])


class ModelMetadata(BaseModel):
    """Metadata of a model; null if the model server does not report it."""

    parameters: str | None = None
    quantization: str | None = None
    size: str | None = None
    context_window: int | None = None
    architecture: str | None = None
    input: Annotated[
        list[Literal["text", "image"]] | None,
        Field(description="What the model takes; null if only a request will show that."),
    ] = None


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""
    smolchat: ModelMetadata


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/v1/models", responses=MODEL_SERVER_RESPONSES)
@router.get("/models", responses=MODEL_SERVER_RESPONSES)
async def list_models(state: AppStateDep) -> ModelList:
    """List the models that can be requested, with their metadata.

    If the model server chats but does not list its models, `MODEL_ID` is the only one known.
    """
    return ModelList(data=await _models(await _entries(state), state))


@router.get("/v1/models/{model_id:path}", response_model=Model, responses=MODEL_SERVER_RESPONSES)
@router.get("/models/{model_id:path}", response_model=Model, responses=MODEL_SERVER_RESPONSES)
async def get_model(
    model_id: str, request: Request, state: AppStateDep
) -> Model | RedirectResponse:
    """Return one model of the list by any of its names, with or without registry and tag."""
    if request.scope["path"].endswith("/models/"):  # the list
        return RedirectResponse("../models")
    discovery = state.model_server.discovery
    entry = find_named_model(model_id, await _entries(state))
    if entry is None and (discovery.is_docker or same_model(model_id, state.settings.model_id)):
        entry = await discovery.find_stored(model_id)
    if entry is None:
        raise ModelNotFoundError(
            "The model server has no model with this id. Choose one from GET /v1/models.",
            param="model",
        )
    return (await _models([entry], state))[0]


async def _entries(state: AppState) -> list[dict[str, Any]]:
    """Return the entries of the model server's list, or one for `MODEL_ID` if it has no list."""
    models = await state.model_server.discovery.models()
    return [{"id": state.settings.model_id}] if models is None else models


async def _models(entries: list[dict[str, Any]], state: AppState) -> list[Model]:
    support = await state.image_support.support_of([entry["id"] for entry in entries])
    return [_model(entry, takes) for entry, takes in zip(entries, support, strict=True)]


def _model(entry: dict[str, Any], supports_images: bool | None) -> Model:  # noqa: FBT001
    metadata = _metadata(entry)
    if supports_images is not None:
        metadata.input = ["text", "image"] if supports_images else ["text"]
    return Model(
        id=display_id(entry["id"]),
        created=as_count(entry.get("created")) or 0,
        owned_by=as_str(entry.get("owned_by")),
        smolchat=metadata,
    )


def _metadata(entry: dict[str, Any]) -> ModelMetadata:
    """Parse the fields that Docker Model Runner (`dmr`) or llama.cpp (`meta`) adds to an entry."""
    if isinstance(docker := entry.get("dmr"), dict):
        return ModelMetadata(
            parameters=_space_unit(docker.get("parameters")),
            quantization=as_str(docker.get("quantization")).removeprefix("MOSTLY_") or None,
            size=_space_unit(docker.get("size")),
            context_window=as_count(docker.get("context_window")) or None,
            architecture=as_str(docker.get("architecture")) or None,
        )
    if isinstance(llama_cpp := entry.get("meta"), dict):
        parameters, size = as_count(llama_cpp.get("n_params")), as_count(llama_cpp.get("size"))
        context_window = as_count(llama_cpp.get("n_ctx")) or as_count(llama_cpp.get("n_ctx_train"))
        return ModelMetadata(
            parameters=_format_count(parameters) if parameters else None,
            quantization=as_str(llama_cpp.get("ftype")) or None,
            size=f"{size / 2**20:.2f} MiB" if size else None,
            context_window=context_window or None,
        )
    return ModelMetadata(context_window=as_count(entry.get("max_model_len")) or None)  # vLLM


def _format_count(count: int) -> str:
    """Format a number of parameters as Docker Model Runner does: 134.52 M, 1.71 B."""
    return f"{count / 1e6:.2f} M" if count < 1e9 else f"{count / 1e9:.2f} B"


def _space_unit(value: object) -> str | None:
    """Insert a space before the unit of a quantity: 134.52M becomes 134.52 M."""
    return re.sub(r"(?<=\d)(?=[A-Za-z])", " ", value) if isinstance(value, str) and value else None
