"""Liveness and readiness probes. Neither runs the model."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from backend import VERSION
from backend.errors import NotReadyError
from backend.http.error_handlers import error_responses
from backend.model_server.model_ids import strip_docker_hub
from backend.monitoring.model_server_check import ModelServerHealth, ModelServerHealthDep
from backend.state import AppStateDep

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    version: str = VERSION
    model: str
    model_server: ModelServerHealth


class Readiness(BaseModel):
    status: Literal["ready"] = "ready"
    model: str


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz(model_server: ModelServerHealthDep, state: AppStateDep) -> Health:
    """Return 200 while the API is running, with the state of the model server."""
    return Health(model=strip_docker_hub(state.settings.model_id), model_server=model_server)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=error_responses(503))
async def readyz(model_server: ModelServerHealthDep, state: AppStateDep) -> Readiness:
    """Return 200 only if a chat request would be served now."""
    if state.shutting_down.is_set():
        raise NotReadyError("The API is shutting down.")
    if state.queue.is_full:
        raise NotReadyError("Too many requests are waiting for the model.")
    if model_server.state != "ready":
        raise NotReadyError(model_server.message)
    return Readiness(model=strip_docker_hub(state.settings.model_id))
