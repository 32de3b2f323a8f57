"""Liveness and readiness probes, which need no key. Neither runs the model.

Without the API's key, they tell no more than the state of the model server.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from backend import VERSION
from backend.errors import NotReadyError
from backend.http.error_handlers import error_responses
from backend.http.security import has_key
from backend.model_server.model_ids import strip_docker_hub
from backend.monitoring.model_server_check import (
    ModelServerHealth,
    ModelServerHealthDep,
    ModelServerState,
)
from backend.state import AppStateDep

router = APIRouter(tags=["health"])

_PUBLIC_MESSAGES: Mapping[ModelServerState, str] = MappingProxyType(
    {
        "ready": "The model is ready.",
        "loading": "The model is being loaded.",
        "load_failed": "The model cannot be loaded.",
        "unreachable": "The model server cannot be reached.",
        "silent": "The model server does not respond.",
        "model_missing": "The model server does not have the model.",
        "invalid": "The model server's list of models cannot be read.",
    }
)


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    version: str = VERSION
    model: str
    model_server: ModelServerHealth


class Readiness(BaseModel):
    status: Literal["ready"] = "ready"
    model: str


async def _public_health(
    health: ModelServerHealthDep, request: Request, state: AppStateDep
) -> ModelServerHealth:
    authorization = request.headers.get("authorization", "").encode("latin-1")
    if has_key(authorization, state.settings.api_key.get_secret_value().encode()):
        return health
    return ModelServerHealth(
        url=None, state=health.state, message=_PUBLIC_MESSAGES[health.state], name=None
    )


_PublicHealthDep = Annotated[ModelServerHealth, Depends(_public_health)]


@router.get("/healthz")
async def healthz(model_server: _PublicHealthDep, state: AppStateDep) -> Health:
    """Return 200 while the API is running, with the state of the model server."""
    return Health(model=strip_docker_hub(state.settings.model_id), model_server=model_server)


@router.get("/readyz", responses=error_responses(503))
async def readyz(model_server: _PublicHealthDep, state: AppStateDep) -> Readiness:
    """Return 200 only if a chat request would be served now."""
    if state.shutting_down.is_set():
        raise NotReadyError("The API is shutting down.")
    if state.queue.is_full:
        raise NotReadyError("Too many requests are waiting for the model.")
    if model_server.state != "ready":
        raise NotReadyError(model_server.message)
    return Readiness(model=strip_docker_hub(state.settings.model_id))
