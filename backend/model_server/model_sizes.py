"""How many parameters a model has: as the model server says, else as its id says."""

import re

from backend.json_values import as_count, as_dict, as_str
from backend.model_server.discovery import ModelServerDiscovery

_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_QUANTITY = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*([KMBT])\s*", re.IGNORECASE)
# 135M, -8b, _0.5B; of an expert model's id, 8x7b, 30b-a3b, e4b. Not q4_0, 4bit, b1234.
_IN_ID = re.compile(
    r"(?<![\w.])(?:(?P<experts>\d{1,3})x|[ae])?(?P<number>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[mb])"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)


def parameter_count(model: str, discovery: ModelServerDiscovery) -> float | None:
    """Return how many parameters `model` has, or None if neither the server nor its id says."""
    entry = discovery.find(model) or {}
    if count := as_count(as_dict(entry.get("meta")).get("n_params")):  # llama.cpp
        return float(count)
    stored = as_dict((discovery.stored_model(model) or {}).get("config"))
    for text in (as_dict(entry.get("dmr")).get("parameters"), stored.get("parameters")):
        if match := _QUANTITY.fullmatch(as_str(text)):  # Docker Model Runner: 361.82 M
            return float(match[1]) * _UNITS[match[2].lower()]
    return parameters_in_id(model)


def parameters_in_id(model: str) -> float | None:
    """Return the number of parameters that a model's id has, the largest if it has several."""
    names = re.sub(r"_", "-", model)
    counts = [
        float(match["number"]) * _UNITS[match["unit"].lower()] * int(match["experts"] or 1)
        for match in _IN_ID.finditer(names)
    ]
    return max(counts, default=None)
