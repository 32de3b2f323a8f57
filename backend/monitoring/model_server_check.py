"""A look at the model server: whether it is there and has the model. It never runs one."""

import asyncio
from typing import Annotated, Literal

from fastapi import Depends
from pydantic import BaseModel

from backend.errors import (
    ModelLoadingError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.model_server.discovery import SERVER_NAMES
from backend.model_server.model_ids import find_model
from backend.state import AppStateDep

ModelServerState = Literal["ready", "loading", "unreachable", "silent", "model_missing", "invalid"]
_STATES: dict[type[SmolChatError], ModelServerState] = {
    ModelLoadingError: "loading",
    ModelServerUnreachableError: "unreachable",
    ModelServerTimeoutError: "silent",
}


class ModelServerHealth(BaseModel):
    """What is known of the model server; `name` where it can be told which one it is."""

    url: str
    state: ModelServerState
    message: str
    name: str | None = None


async def check_model_server(state: AppStateDep) -> ModelServerHealth:
    """Look at the model server's list of models, which costs it nothing."""
    upstream, settings = state.model_server, state.settings

    def found(state: ModelServerState, message: str, name: str | None = None) -> ModelServerHealth:
        return ModelServerHealth(url=upstream.url, state=state, message=message, name=name)

    try:
        async with asyncio.timeout(settings.probe_timeout_seconds):
            models = await upstream.models()
    except TimeoutError:
        return found("silent", f"The model server at {upstream.url} does not answer. Restart it.")
    except SmolChatError as error:
        return found(_STATES.get(type(error), "invalid"), error.message)
    model = settings.model_id
    if find_model(model, models) is None:
        return found(
            "model_missing",
            f"The model server has no {model}. Pull it there (`docker model pull {model}`), or set "
            "MODEL_ID to a model that it has.",
        )
    return found("ready", f"{model} is ready.", SERVER_NAMES.get(str(models[0].get("owned_by"))))


ModelServerHealthDep = Annotated[ModelServerHealth, Depends(check_model_server)]
