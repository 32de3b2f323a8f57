"""Check that the model server is reachable and has the model, without running it."""

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
from backend.state import AppStateDep

ModelServerState = Literal[
    "ready", "loading", "load_failed", "unreachable", "silent", "model_missing", "invalid"
]
_STATES: dict[type[SmolChatError], ModelServerState] = {
    ModelLoadingError: "loading",
    ModelServerUnreachableError: "unreachable",
    ModelServerTimeoutError: "silent",
}


class ModelServerHealth(BaseModel):
    """The state of the model server; `name` is null if its kind could not be detected.

    Without the API's key, `url` and `name` are null.
    """

    url: str | None
    state: ModelServerState
    message: str
    name: str | None = None


async def check_model_server(state: AppStateDep) -> ModelServerHealth:
    """Check the model server by listing its models, which costs it nothing."""
    discovery, settings = state.model_server.discovery, state.settings
    url, model = discovery.url, settings.model_id

    def health(state: ModelServerState, message: str, name: str | None = None) -> ModelServerHealth:
        return ModelServerHealth(url=url, state=state, message=message, name=name)

    try:
        async with asyncio.timeout(settings.probe_timeout_seconds):
            models = await discovery.models()
            is_known = models is not None and discovery.is_list_complete
            is_missing = is_known and await discovery.find_stored(model) is None
    except TimeoutError:
        return health("silent", f"The model server at {url} does not respond. Restart it.")
    except SmolChatError as error:
        return health(_STATES.get(type(error), "invalid"), error.message)
    if is_missing:
        return health(
            "model_missing",
            f"The model server has no {model}. Pull it there (`docker model pull {model}`), or set "
            "MODEL_ID to a model that it has.",
        )
    if failure := state.model_server.loader.load_failure(model):
        return health("load_failed", failure.message, discovery.server_name)
    return health("ready", f"{model} is ready.", discovery.server_name)


ModelServerHealthDep = Annotated[ModelServerHealth, Depends(check_model_server)]
