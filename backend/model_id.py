"""Names of models: one model has several, and a server may say another one than it was given.

How Docker Model Runner completes a name: `normalizeModelName` in docker/model-runner.
"""

import re

_HUB = re.compile(r"^(?:index\.)?docker\.io/")


def without_hub(model_id: str) -> str:
    """Give the id as people write it: Docker's own registry goes without saying."""
    return _HUB.sub("", model_id)


def listed(model_id: str) -> str:
    """Give the id that a model server lists as clients ask for it: no path on the server's disk."""
    if model_id.endswith(".gguf"):
        return re.split(r"[/\\]", model_id)[-1].removesuffix(".gguf")
    return without_hub(model_id)


def is_same(one: str, other: str) -> bool:
    """Tell whether two ids name one model."""
    return _completed(one) == _completed(other)


def _completed(model_id: str) -> str:
    name = _HUB.sub("", model_id.strip())
    name = re.sub(r"^hf\.co/", "huggingface.co/", name)
    path, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    organisation = path if slash else "ai"
    return f"{organisation}/{last}".lower() + f":{tag or 'latest'}"
