"""The flavours of model servers: each does what it was seen to do, or what its source says."""

import json
from typing import Any

from tests.support.fake_model_server import JSON, Reply, ServerVariant

MODEL_FILE = "/home/ann/models/SmolLM2-135M-Instruct-Q4_1.gguf"
# Every way to name the one model.
_NAMES = r"(docker\.io/)?(ai/)?smollm2(:latest)?"


def _reply(status: int, body: dict[str, Any]) -> Reply:
    return Reply(status, JSON, [json.dumps(body).encode()])


def _listed(model_id: str, owner: str, **facts: Any) -> Reply:
    entry = {"id": model_id, "object": "model", "created": 1795475043, "owned_by": owner}
    return _reply(200, {"object": "list", "data": [entry | facts]})


def _under_the_id_asked_for(said: dict[str, Any], model: str) -> dict[str, Any]:
    return said | {"model": model}


def _under_the_name_of_its_file(said: dict[str, Any], _model: str) -> dict[str, Any]:
    return said | {"model": MODEL_FILE}


def _as_ollama(said: dict[str, Any], model: str) -> dict[str, Any]:
    """Every chunk of a stream has a role and a text; timings there are none."""
    said = said | {"model": model, "system_fingerprint": "fp_ollama"}
    said.pop("timings", None)
    said.get("usage", {}).pop("prompt_tokens_details", None)
    for choice in said["choices"]:
        if "delta" in choice:
            choice["delta"] = {"role": "assistant", "content": choice["delta"].get("content") or ""}
    return said


def _barely(said: dict[str, Any], _model: str) -> dict[str, Any]:
    return {name: said[name] for name in ("choices", "created", "id", "object")}


# What is still loading, in llama.cpp's words.
LOADING = _reply(
    503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
)

DMR = ServerVariant(names=_NAMES)

# Before December 2025: no `/v1`, no facts of a model, and nothing that only loads one.
OLDER_DMR = ServerVariant(
    prefixes=("/engines/llama.cpp/v1", "/engines/v1"),
    models=_listed("ai/smollm2:latest", "docker"),
    names=_NAMES,
    only_loads=False,
    says=_under_the_id_asked_for,
)

# With one model it answers to every name; `/v1` or not is the same to it.
LLAMA_SERVER = ServerVariant(
    prefixes=("/v1", ""),
    models=_listed(
        MODEL_FILE,
        "llamacpp",
        meta={"n_ctx": 8192, "n_ctx_train": 8192, "n_params": 134515008, "ftype": "Q4_1"},
    ),
    no_route=_reply(
        404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
    ),
    only_loads=False,
    says=_under_the_name_of_its_file,
)

_NO_OLLAMA_MODEL = {"message": "model 'nosuch' not found", "type": "not_found_error"}
OLLAMA = ServerVariant(
    prefixes=("/v1",),
    models=_listed("smollm2:latest", "library"),
    names=r"smollm2(:latest)?",
    no_model=_reply(404, {"error": _NO_OLLAMA_MODEL | {"param": None, "code": None}}),
    no_route=Reply(404, [("Content-Type", "text/plain")], [b"404 page not found"]),
    only_loads=False,
    says=_as_ollama,
)

# The least that can be called OpenAI's API: chats and nothing else, and no field beyond its own.
BARE = ServerVariant(
    prefixes=("/v1",),
    models=_reply(404, {"detail": "Not Found"}),
    names=_NAMES,
    no_model=_reply(
        404, {"object": "error", "message": "The model `nosuch` does not exist.", "code": 404}
    ),
    no_route=_reply(404, {"detail": "Not Found"}),
    only_loads=False,
    fields=frozenset({"model", "messages", "max_tokens", "seed", "stream", "stream_options"}),
    tells_usage=False,
    says_done=False,
    says=_barely,
)
