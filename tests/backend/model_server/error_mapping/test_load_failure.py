"""A model that cannot start or that crashes, in the logs and words of several model servers."""

import json

import pytest

from backend.errors import ModelLoadFailedError, ModelServerError
from backend.model_server.error_mapping.mapping import error_from_response, log_and_map_error

RUNNER = "unable to load runner: error waiting for runner to be ready: "
LOG = """llama.cpp terminated unexpectedly: llama.cpp failed: {cause}

Verbose output:
0.00.002.354 I srv  llama_server: initializing ... --jinja --chat-template
0.00.263.909 E llama_model_load_from_file_impl: failed to load model '/models/x/model.gguf'
0.00.263.910 I slot print_timing: prompt eval time = 64.74 ms, n_ctx exceeds context size 4096
{detail}
"""
MEMORY = "it does not fit into memory"
DAMAGED = "the model file is damaged. Delete it and pull it again."
UPDATE = "Update the model server, or choose another model."
SLOW = "it did not start in time."
GENERAL = "The model server could not load the model. See the API's log for details."
CAUSES = [
    ("", "failed to allocate buffer of size 4294967296", MEMORY),
    ("not enough GPU memory to load the model (CUDA)", "", MEMORY),
    ("", "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory", MEMORY),
    ("", "alloc_tensor_range: failed to allocate CUDA0 buffer of size 1", MEMORY),
    ("", "error loading model: unable to allocate CPU_REPACK buffer", MEMORY),
    ("", "vk::Device::allocateMemory: ErrorOutOfDeviceMemory", MEMORY),
    ("", "ggml_metal: kIOGPUCommandBufferCallbackErrorOutOfMemory", MEMORY),
    ("insufficient memory", "", MEMORY),
    ("Insufficient VRAM to load the model", "", MEMORY),
    ("model too large to fit in GPU memory", "", MEMORY),
    ("OOMKilled", "", MEMORY),
    ("", "std::bad_alloc", MEMORY),
    ("", "model is corrupted or incomplete", DAMAGED),
    ("", "gguf_init_from_file_impl: invalid magic characters: '<htm', expected 'GGUF'", DAMAGED),
    ("", "gguf_init_from_file_impl: failed to read magic", DAMAGED),
    ("", "error loading model: unknown model architecture: 'qwen9'", f"(qwen9). {UPDATE}"),
    ("", "unsupported model architecture: 'x9'", f"(x9). {UPDATE}"),
    ("", "unknown pre-tokenizer type: 'z9'", f"(z9). {UPDATE}"),
    ("exit status 0xc0000135", "", "one of its libraries is missing."),
    ("", "libcuda.so.1: cannot open shared object file: No such file", "libraries is missing."),
    ("", "CUDA driver version is insufficient for CUDA runtime version", "with its driver."),
    ("exit status 1", "", GENERAL),
]


@pytest.mark.parametrize("status", [500, 503, None])
@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(("cause", "detail", "reason"), CAUSES)
def test_runner_that_cannot_start_has_the_reason(
    status: int | None, cause: str, detail: str, reason: str, *, is_json: bool
) -> None:
    text = RUNNER + LOG.format(cause=cause, detail=detail)
    body = json.dumps({"type": "error", "code": None, "message": text}) if is_json else text
    error = error_from_response(status, body.encode())
    assert isinstance(error, ModelLoadFailedError)
    assert (error.status, error.code) == (503, "model_load_failed")
    assert reason in error.message
    assert error.message.startswith("The model server could not load the model")
    assert not any(secret in error.message for secret in ("/models", "slot", "0.00", "llama"))


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            500,
            '{"error":"model requires more system memory (8.4 GiB) than is available (7.3 GiB)"}',
            "it does not fit into memory (it needs 8.4 GiB, 7.3 GiB is available). Choose",
        ),
        (500, '{"error":"llama runner process has terminated: exit status 2"}', GENERAL),
        (
            500,
            '{"error":"llama runner process has terminated: cudaMalloc failed: out of memory"}',
            MEMORY,
        ),
        (
            500,
            (
                '{"error":{"message":"llama runner process has terminated: error loading model: '
                'unable to allocate CUDA0 buffer","type":"api_error"}}'
            ),
            MEMORY,
        ),
        (500, '{"error":"timed out waiting for llama runner to start - progress 1.00 - "}', SLOW),
        (500, '{"error":"llama runner process no longer running: -1"}', GENERAL),
        (
            500,
            (
                '{"error":"model failed to load, this may be due to resource limitations or an '
                'internal error, check ollama server logs for details"}'
            ),
            GENERAL,
        ),
        (500, '{"error":"unable to load model: /root/.ollama/models/blobs/sha256-1"}', GENERAL),
        (
            400,
            (
                '{"error":"Failed to load model \\"x\\". Error: Model loading was stopped due to '
                'insufficient system resources."}'
            ),
            MEMORY,
        ),
        (400, '{"error":{"message":"Error loading model. (Exit code: 18446744072635812000)"}}', ""),
        (500, '{"error":{"code":500,"message":"model name=x failed to load"}}', GENERAL),
        (400, '{"error":{"code":400,"message":"model is not loaded"}}', "Load it there."),
        (400, '{"error":{"code":400,"message":"model name=x is not running"}}', "Load it there."),
        (502, "upstream command exited prematurely but successfully", GENERAL),
        (500, f"{RUNNER}runner took too long to initialize", SLOW),
        (500, f"{RUNNER}context deadline exceeded", SLOW),
        (500, '{"error":"llama runner exited, you may not have enough memory to run it"}', MEMORY),
        (500, '{"error":"llama-server process has terminated: exit status 1"}', GENERAL),
        (500, '{"error":"error starting llama runner: exec: no such file"}', GENERAL),
        (500, '{"error":"this model is not supported by your version of Ollama."}', UPDATE),
        (500, '{"error":"ValueError: No available memory for the cache blocks."}', MEMORY),
        (500, '{"error":"Engine core initialization failed. See root cause above."}', GENERAL),
        (500, '{"error":"Model x could not be loaded: the file is corrupt"}', DAMAGED),
        (500, '{"error":"loading model failed: bad magic"}', DAMAGED),
        (503, '{"error":"The model failed to start: OOMKilled"}', MEMORY),
        (500, "unable to load runner: unable to start runner: exec format error", GENERAL),
        (500, '{"message":"could not load model: rpc error: code = Unknown"}', GENERAL),
    ],
)
def test_other_servers_load_failures_have_the_reason(status: int, body: str, reason: str) -> None:
    error = error_from_response(status, body.encode())
    assert isinstance(error, ModelLoadFailedError)
    assert reason in error.message
    assert "ollama" not in error.message


CRASHED = "The model process crashed during the response. Try again: it restarts automatically."
CRASHED_MEMORY = "The model process crashed during the response: it ran out of memory."
NO_MEMORY = "The model server ran out of memory. Choose a smaller model or a smaller context."


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (None, "out of memory", NO_MEMORY),
        (None, "CUDA out of memory. Tried to allocate 20.00 MiB.", NO_MEMORY),
        (500, "CUDA error: out of memory", NO_MEMORY),
        (400, "CUDA out of memory", NO_MEMORY),
        (500, LOG.format(cause="", detail="failed to allocate compute buffers")[:60], CRASHED),
        (500, "llama.cpp terminated unexpectedly: llama.cpp failed: _child = 0\nslot x", CRASHED),
        (None, "llama.cpp terminated unexpectedly: signal: killed", CRASHED),
        (500, "llama.cpp terminated unexpectedly: x\nfailed to allocate buffer", CRASHED_MEMORY),
        (None, "llama.cpp terminated unexpectedly: out of memory", CRASHED_MEMORY),
        (500, "model runner has unexpectedly stopped, this may be due to limitations", CRASHED),
        (400, "The model has crashed without additional information. (Exit code: 6)", CRASHED),
        (500, "an error was encountered while running the model: unexpected EOF", CRASHED),
        (500, "Model too large to fit in GPU memory", NO_MEMORY),
        (None, "EngineCore encountered an issue. See stack trace (above).", CRASHED),
    ],
)
def test_failure_while_answering_is_not_a_load_failure(
    status: int | None, message: str, expected: str
) -> None:
    error = error_from_response(status, json.dumps({"error": {"message": message}}).encode())
    assert type(error) is ModelServerError
    assert error.message.startswith(expected)


@pytest.mark.parametrize(
    "message",
    [
        "Failed to load image from the request",
        "Failed to parse messages: unable to load runner",
        "Failed to parse tools: the model failed to load; tools = [",
        "Could not load the tokenizer of this prompt",
    ],
)
def test_invalid_request_is_not_a_load_failure(message: str) -> None:
    error = error_from_response(400, json.dumps({"error": {"message": message}}).encode())
    assert (error.status, error.code) == (400, "invalid_request")


def test_log_of_a_load_failure_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    text = RUNNER + LOG.format(cause="x" * 3900, detail="failed to allocate buffer of size 1")
    log_and_map_error(500, text.encode())
    assert "failed to allocate buffer" in caplog.text
