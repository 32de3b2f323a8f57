"""Model ids: a model has several, and a server may report another one than the client sent.

Docker Model Runner completes an id as `normalizeModelName` in docker/model-runner does.
"""

import re
from typing import Any

_HUB = re.compile(r"^(?:index\.)?docker\.io/")


def strip_docker_hub(model_id: str) -> str:
    """Return the id as users write it, without Docker's default registry."""
    return _HUB.sub("", model_id)


def display_id(model_id: str) -> str:
    """Return the id that clients see for one in a server's model list: never a path on its disk."""
    if model_id.endswith(".gguf"):
        return re.split(r"[/\\]", model_id)[-1].removesuffix(".gguf")
    return strip_docker_hub(model_id)


def same_model(first_id: str, second_id: str) -> bool:
    """Return True if both ids name the same model."""
    return _normalize(first_id) == _normalize(second_id)


def find_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of a model list that serves `model_id`, or None.

    llama.cpp's server, if it serves one model, uses it for every id.
    """
    if len(models) == 1 and models[0].get("owned_by") == "llamacpp":
        return models[0]
    return next((model for model in models if same_model(model["id"], model_id)), None)


def _normalize(model_id: str) -> str:
    name = _HUB.sub("", model_id.strip())
    name = re.sub(r"^hf\.co/", "huggingface.co/", name)
    path, slash, repository = name.rpartition("/")
    repository, _, tag = repository.partition(":")
    organisation = path if slash else "ai"
    return f"{organisation}/{repository}".lower() + f":{tag or 'latest'}"
