"""Model ids: a model has several, and a server may report another one than the client sent.

Docker Model Runner completes an id as `normalizeModelName` in docker/model-runner does.
"""

import re
from typing import Any

from backend.json_values import as_str
from backend.model_server.model_list import server_owner

# The organisation of an id without one; other servers than these know no default.
_DEFAULT_ORGANISATIONS = {"docker": "ai", "library": "library"}
_HUB = re.compile(r"^(?:(?:index|registry-1)\.)?docker\.io/")
_SCHEME_OR_REGISTRY = re.compile(r"^(?:https?://)?(?:registry\.ollama\.ai/)?")
_GGUF = re.compile(r"\.gguf$", re.IGNORECASE)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{12}|[0-9a-f]{64})", re.IGNORECASE)


def strip_docker_hub(model_id: str) -> str:
    """Return the id as users write it, without Docker's default registry."""
    return _HUB.sub("", model_id)


def display_id(model_id: str) -> str:
    """Return the id that clients see for one in a server's model list: never a path on its disk."""
    if _GGUF.search(model_id):
        return _GGUF.sub("", re.split(r"[/\\]", model_id)[-1])
    return strip_docker_hub(model_id)


def same_model(first_id: str, second_id: str, organisation: str = "ai") -> bool:
    """Return True if both ids name the same model; `organisation` is the default one."""
    first, second = normalize_id(first_id, organisation), normalize_id(second_id, organisation)
    if first == second:
        return True
    # A digest may be shortened to 12 digits.
    is_digests = first.startswith("sha256:") and second.startswith("sha256:")
    return is_digests and (first.startswith(second) or second.startswith(first))


def find_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of a model list that serves `model_id`, or None.

    llama.cpp's server, if it serves one model, uses it for every id. As a router it does not, and
    its list has the status of each model.
    """
    is_only_one = len(models) == 1 and "status" not in models[0]
    if is_only_one and models[0].get("owned_by") == "llamacpp":
        return models[0]
    return find_named_model(model_id, models)


def find_named_model(model_id: str, models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of a model list that has `model_id` as one of its names, or None."""
    return next((model for model in models if _is_named(model, model_id)), None)


def _is_named(model: dict[str, Any], model_id: str) -> bool:
    organisation = _DEFAULT_ORGANISATIONS.get(server_owner(model), "")
    aliases = model.get("aliases")  # llama.cpp
    names = [model["id"], *(aliases if isinstance(aliases, list) else ())]
    is_file = display_id(model["id"]) == _GGUF.sub("", model_id)
    return is_file or any(same_model(as_str(name), model_id, organisation) for name in names)


def digest_of(model_id: str) -> str:
    """Return `sha256:` and the digits if the id is a digest, whole or shortened, else ""."""
    match = _DIGEST.fullmatch(model_id.strip())
    return f"sha256:{match[1].lower()}" if match else ""


def normalize_id(model_id: str, organisation: str = "ai") -> str:
    """Return the one form that all names of a model have in common."""
    if digest := digest_of(model_id):
        return digest
    name = _HUB.sub("", _SCHEME_OR_REGISTRY.sub("", model_id.strip()))
    name = re.sub(r"^hf\.co/", "huggingface.co/", name)
    path, slash, repository = name.rpartition("/")
    repository, _, tag = repository.partition(":")
    tag = tag.lower() if organisation == "library" else tag  # Ollama ignores its case
    return f"{path if slash else organisation}/{repository}".lower() + f":{tag or 'latest'}"
