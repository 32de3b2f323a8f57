"""Model ids: a model has several, and a server may report another one than the client sent.

Docker Model Runner completes an id as `normalizeModelName` in docker/model-runner does.
"""

import re
from typing import Any

_HUB = re.compile(r"^(?:index\.)?docker\.io/")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{12}|[0-9a-f]{64})", re.IGNORECASE)


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
    first, second = normalize_id(first_id), normalize_id(second_id)
    if first == second:
        return True
    # A digest may be shortened to 12 digits.
    is_digests = first.startswith("sha256:") and second.startswith("sha256:")
    return is_digests and (first.startswith(second) or second.startswith(first))


def find_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of a model list that serves `model_id`, or None.

    llama.cpp's server, if it serves one model, uses it for every id.
    """
    if len(models) == 1 and models[0].get("owned_by") == "llamacpp":
        return models[0]
    return find_named_model(model_id, models)


def find_named_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of a model list that has `model_id` as one of its names, or None."""
    return next(
        (
            model
            for model in models
            if same_model(model["id"], model_id) or display_id(model["id"]) == model_id
        ),
        None,
    )


def digest_of(model_id: str) -> str:
    """Return `sha256:` and the digits if the id is a digest, whole or shortened, else ""."""
    match = _DIGEST.fullmatch(model_id.strip())
    return f"sha256:{match[1].lower()}" if match else ""


def normalize_id(model_id: str) -> str:
    """Return the one form that all names of a model have in common."""
    if digest := digest_of(model_id):
        return digest
    name = _HUB.sub("", model_id.strip())
    name = re.sub(r"^hf\.co/", "huggingface.co/", name)
    path, slash, repository = name.rpartition("/")
    repository, _, tag = repository.partition(":")
    organisation = path if slash else "ai"
    return f"{organisation}/{repository}".lower() + f":{tag or 'latest'}"
