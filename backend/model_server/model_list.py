"""The model server's list of models, in every form that servers give it."""

import json
import re
from typing import Any

from backend.json_values import as_dict, as_str
from backend.model_server.answers.json_text import parse_json

MAX_ID_CHARACTERS = 500
# What identifies a model. Other fields change while a server runs: for some, `created` is now.
_STABLE_FIELDS = ("id", "owned_by", "dmr", "meta", "root", "max_model_len")
_DATED_OWNERS = ("docker", "library")
# `owned_by` of its models identifies a server.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}
_NAMESPACE = re.compile(r"(?:[^/]+/)?([^/]+)/[^/:]+:[^/:]+")


def parse_model_list(raw: bytes) -> list[dict[str, Any]] | None:
    """Return a list's entries, each with an `id`, or None if it says nothing about the models.

    OpenAI's form is `{"data": [{"id": …}]}`. Some servers send the array alone, call it `models`,
    send null instead, or an HTML page; an entry may be only the id. Entries without a usable id are
    left out.
    """
    payload = parse_json(raw)
    if isinstance(payload, dict):
        arrays = (payload.get("data"), payload.get("models"))
        payload = next((array for array in arrays if isinstance(array, list)), None)
    if not isinstance(payload, list):
        return None
    entries: dict[str, dict[str, Any]] = {}
    for item in payload:
        if model_id := _model_id(item):
            entries.setdefault(model_id, as_dict(item) | {"id": model_id})
    return list(entries.values()) if entries or not payload else None


def has_more_pages(raw: bytes) -> bool:
    """Return True if a list is only the first page of a longer one, as some gateways send it."""
    return b'"has_more"' in raw and as_dict(parse_json(raw)).get("has_more") is True


def server_owner(entry: dict[str, Any]) -> str:
    """Return the `owned_by` that identifies the server of an entry.

    Ollama's is the namespace in the id: `library`, or "bartowski" of hf.co/bartowski/SmolLM2:Q4_0.
    """
    owner = as_str(entry.get("owned_by"))
    namespace = _NAMESPACE.fullmatch(entry["id"])
    is_ollama = owner not in SERVER_NAMES and namespace is not None and namespace[1] == owner
    return "library" if is_ollama else owner


def fingerprint(entries: list[dict[str, Any]]) -> list[str]:
    """Return what two lists of the same server have in common as long as it has the same models."""
    return sorted(map(_stable_part, entries))


def _stable_part(entry: dict[str, Any]) -> str:
    names = list(_STABLE_FIELDS)
    if server_owner(entry) in _DATED_OWNERS:
        names.append("created")
    return json.dumps({name: entry.get(name) for name in names}, sort_keys=True)


def _model_id(item: object) -> str:
    """Return the id of an entry, or "" if it has none that a request could name."""
    fields = as_dict(item)
    names = (item, fields.get("id"), fields.get("model"), fields.get("name"))
    model_id = next((name for name in names if isinstance(name, str)), "")
    is_usable = model_id.strip() and model_id.isprintable() and len(model_id) <= MAX_ID_CHARACTERS
    return model_id if is_usable else ""
