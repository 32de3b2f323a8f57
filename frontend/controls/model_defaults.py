"""Sampling parameters that suit a model: what its publisher recommends, by model family."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Every server takes these. The others are llama.cpp's, and a strict server refuses what it does
# not know.
_COMMON_FIELDS = ("temperature", "top_p")
_LLAMA_CPP_SERVERS = ("llama.cpp", "Docker Model Runner")


@dataclass(frozen=True)
class ModelFamily:
    """Models that share recommended parameters; `pattern` finds them by the name of the model."""

    pattern: str
    defaults: Mapping[str, Any]


# The values are those of the model cards and generation_config.json files at huggingface.co.
# SmolLM2's repeat_penalty was measured with SmolLM2-135M-Instruct (Q4_1): of 44 answers to simple
# questions 32 were right without it, 39 with 1.05, 40 with 1.1, 37 with 1.15 and 34 with 1.2; of
# ten long answers five repeated themselves without it, and one with 1.1.
_FAMILIES = (
    ModelFamily("smollm-?2", {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}),
    ModelFamily("smollm-?3", {"temperature": 0.6, "top_p": 0.95}),
    ModelFamily("llama-?3[.-]2", {"temperature": 0.6, "top_p": 0.9}),
    ModelFamily("gemma-?3n?", {"temperature": 1.0, "top_p": 0.95, "top_k": 64, "min_p": 0.0}),
    ModelFamily(
        r"qwen-?3(?!.*(instruct|coder|embed|rerank))",  # those have other recommendations, or none
        {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.0},
    ),
    ModelFamily("deepseek-?r1", {"temperature": 0.6, "top_p": 0.95}),
)


def model_defaults(model: str | None, *, server_name: str | None) -> dict[str, Any]:
    """Return the request fields that suit `model`; none if its family is not known.

    `server_name` is the kind of model server, None if unknown: it decides which fields are taken.
    """
    is_llama_cpp = server_name in _LLAMA_CPP_SERVERS
    fields = _family_defaults(model).items()
    return {name: value for name, value in fields if is_llama_cpp or name in _COMMON_FIELDS}


def changed_parameters(sent: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Return those of the `sent` fields that differ from what suits `model`."""
    defaults = _family_defaults(model)
    return {name: value for name, value in sent.items() if defaults.get(name) != value}


def _family_defaults(model: str | None) -> Mapping[str, Any]:
    name = re.split(r"[/\\]", (model or "").lower().replace("_", "-"))[-1]
    for family in _FAMILIES:
        # Neither part of another word nor of another version: qwen3.5 is not qwen3.
        if re.search(rf"(?<![a-z0-9])({family.pattern})(?![a-z0-9]|\.\d)", name):
            return family.defaults
    return {}
