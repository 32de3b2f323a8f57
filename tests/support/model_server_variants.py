"""Variants of the fake model server that behave like other servers, as observed or documented."""

import json
from typing import Any

from tests.support.fake_model_server import JSON, Reply, ServerVariant

MODEL_FILE = "/home/ann/models/SmolLM2-135M-Instruct-Q4_1.gguf"
# All names of the one model.
_NAMES = r"(docker\.io/)?(ai/)?smollm2(:latest)?"


def _reply(status: int, body: dict[str, Any]) -> Reply:
    return Reply(status, JSON, [json.dumps(body).encode()])


def _model_list(model_id: str, owner: str, **fields: Any) -> Reply:
    entry = {"id": model_id, "object": "model", "created": 1795475043, "owned_by": owner}
    return _reply(200, {"object": "list", "data": [entry | fields]})


def _with_requested_model(payload: dict[str, Any], model: str) -> dict[str, Any]:
    return payload | {"model": model}


def _with_file_name(payload: dict[str, Any], _model: str) -> dict[str, Any]:
    return payload | {"model": MODEL_FILE}


def _like_ollama(payload: dict[str, Any], model: str) -> dict[str, Any]:
    """Give each chunk of a stream a role and content, and remove the timings."""
    payload = payload | {"model": model, "system_fingerprint": "fp_ollama"}
    payload.pop("timings", None)
    payload.get("usage", {}).pop("prompt_tokens_details", None)
    for choice in payload["choices"]:
        if "delta" in choice:
            choice["delta"] = {"role": "assistant", "content": choice["delta"].get("content") or ""}
    return payload


def _with_required_fields(payload: dict[str, Any], _model: str) -> dict[str, Any]:
    return {name: payload[name] for name in ("choices", "created", "id", "object")}


# llama.cpp's response while it loads a model.
LOADING = _reply(
    503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
)

DMR = ServerVariant(model_id_pattern=_NAMES)

# Before December 2025: no `/v1`, no details of a model, no preload.
OLDER_DMR = ServerVariant(
    prefixes=("/engines/llama.cpp/v1", "/engines/v1"),
    models=_model_list("ai/smollm2:latest", "docker"),
    model_id_pattern=_NAMES,
    supports_preload=False,
    rewrite=_with_requested_model,
)

# It serves one model under every name, with and without `/v1`.
LLAMA_SERVER = ServerVariant(
    prefixes=("/v1", ""),
    models=_model_list(
        MODEL_FILE,
        "llamacpp",
        meta={"n_ctx": 8192, "n_ctx_train": 8192, "n_params": 134515008, "ftype": "Q4_1"},
    ),
    unknown_route=_reply(
        404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
    ),
    supports_preload=False,
    rewrite=_with_file_name,
)

_NO_OLLAMA_MODEL = {"message": "model 'nosuch' not found", "type": "not_found_error"}
OLLAMA = ServerVariant(
    prefixes=("/v1",),
    models=_model_list("smollm2:latest", "library"),
    model_id_pattern=r"smollm2(:latest)?",
    unknown_model=_reply(404, {"error": _NO_OLLAMA_MODEL | {"param": None, "code": None}}),
    unknown_route=Reply(404, [("Content-Type", "text/plain")], [b"404 page not found"]),
    supports_preload=False,
    rewrite=_like_ollama,
)

# It counts `max_tokens` against its context, and knows nothing of llama.cpp's fields.
VLLM = ServerVariant(
    prefixes=("/v1",),
    models=_model_list("ai/smollm2:latest", "vllm", max_model_len=8192),
    unknown_route=_reply(404, {"detail": "Not Found"}),
    supports_preload=False,
)

# A minimal OpenAI-compatible API: chat completions only, and only the listed fields.
BARE = ServerVariant(
    prefixes=("/v1",),
    models=_reply(404, {"detail": "Not Found"}),
    model_id_pattern=_NAMES,
    unknown_model=_reply(
        404, {"object": "error", "message": "The model `nosuch` does not exist.", "code": 404}
    ),
    unknown_route=_reply(404, {"detail": "Not Found"}),
    supports_preload=False,
    accepted_fields=frozenset(
        {"model", "messages", "max_tokens", "seed", "stream", "stream_options"}
    ),
    sends_usage=False,
    sends_done=False,
    rewrite=_with_required_fields,
)
