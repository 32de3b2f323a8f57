"""Names of models: one model has several, and a server may say another one than it was given.

How Docker Model Runner completes a name: `normalizeModelName` in docker/model-runner.
"""

import re
from typing import Any

_HUB = re.compile(r"^(?:index\.)?docker\.io/")


def strip_docker_hub(model_id: str) -> str:
    """Give the id as people write it: Docker's own registry goes without saying."""
    return _HUB.sub("", model_id)


def display_id(model_id: str) -> str:
    """Give the id that a model server lists as clients ask for it: no path on the server's disk."""
    if model_id.endswith(".gguf"):
        return re.split(r"[/\\]", model_id)[-1].removesuffix(".gguf")
    return strip_docker_hub(model_id)


def same_model(one: str, other: str) -> bool:
    """Tell whether two ids name one model."""
    return _normalize(one) == _normalize(other)


def find_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Find what answers to `model_id` in a model list.

    llama.cpp's server, when it serves one model, answers with it whatever the request names.
    """
    if len(models) == 1 and models[0].get("owned_by") == "llamacpp":
        return models[0]
    return next((model for model in models if same_model(model["id"], model_id)), None)


def _normalize(model_id: str) -> str:
    name = _HUB.sub("", model_id.strip())
    name = re.sub(r"^hf\.co/", "huggingface.co/", name)
    path, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    organisation = path if slash else "ai"
    return f"{organisation}/{last}".lower() + f":{tag or 'latest'}"
