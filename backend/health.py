"""Whether the API is alive, and whether a chat would be answered now. Neither runs the model."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from backend import VERSION
from backend.dependencies import SettingsDep, UpstreamDep
from backend.errors import (
    ModelLoadingError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    NotReadyError,
    SmolChatError,
    described,
)
from backend.model_id import entry_for, without_hub
from backend.upstream import SERVER_NAMES

router = APIRouter(tags=["health"])

State = Literal["ready", "loading", "unreachable", "silent", "model_missing", "invalid"]
_STATES: dict[type[SmolChatError], State] = {
    ModelLoadingError: "loading",
    ModelServerUnreachableError: "unreachable",
    ModelServerTimeoutError: "silent",
}


class ModelServer(BaseModel):
    """What is known of the model server; `name` where it can be told which one it is."""

    url: str
    state: State
    message: str
    name: str | None = None


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    version: str = VERSION
    model: str
    model_server: ModelServer


class Readiness(BaseModel):
    status: Literal["ready"] = "ready"
    model: str


async def _look(upstream: UpstreamDep, settings: SettingsDep) -> ModelServer:
    """Look at the model server's list of models, which costs it nothing."""

    def found(state: State, message: str, name: str | None = None) -> ModelServer:
        return ModelServer(url=upstream.url, state=state, message=message, name=name)

    try:
        async with asyncio.timeout(settings.probe_timeout_seconds):
            models = await upstream.models()
    except TimeoutError:
        return found("silent", f"The model server at {upstream.url} does not answer. Restart it.")
    except SmolChatError as error:
        return found(_STATES.get(type(error), "invalid"), error.message)
    model = settings.model_id
    if entry_for(model, models) is None:
        return found(
            "model_missing",
            f"The model server has no {model}. Pull it there (`docker model pull {model}`), or set "
            "MODEL_ID to a model that it has.",
        )
    return found("ready", f"{model} is ready.", SERVER_NAMES.get(str(models[0].get("owned_by"))))


ModelServerDep = Annotated[ModelServer, Depends(_look)]


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz(model_server: ModelServerDep, settings: SettingsDep) -> Health:
    """Say that the API is alive, and what it knows of the model server."""
    return Health(model=without_hub(settings.model_id), model_server=model_server)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=described(503))
async def readyz(model_server: ModelServerDep, settings: SettingsDep) -> Readiness:
    """Answer 200 only when a chat would be answered now."""
    if model_server.state != "ready":
        raise NotReadyError(model_server.message)
    return Readiness(model=without_hub(settings.model_id))
