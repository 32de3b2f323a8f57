"""Whose fault an error of a model server is: its class, status and code, from words and status."""

import json
from typing import Any

import pytest

from backend.errors import (
    ChatTemplateError,
    InvalidRequestError,
    ModelLoadFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelOutputUnreadableError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    RequestTooLargeError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.error_mapping.mapping import error_from_response

NOT_FOUND_BODIES: list[tuple[int | None, object]] = [
    (404, {"error": {"message": "The model `x` does not exist.", "code": 404}}),
    (400, {"error": {"code": 400, "message": "model 'x' not found", "type": "invalid_request"}}),
    (400, {"error": {"code": 400, "message": "model not found"}}),
    (500, {"error": {"code": 500, "message": "model name=x is not found"}}),
    (404, {"error": 'model "x" not found, try pulling it first'}),
    (404, {"error": {"message": "model 'x' not found", "type": "not_found_error"}}),
    (404, {"error": {"message": 'Model "x" not found. Please specify a valid model.'}}),
    (400, {"error": {"message": 'Invalid model identifier "x". Please specify a valid one.'}}),
    (400, {"error": 'Failed to load model "x". Error: Model does not exist.'}),
    (404, {"error": {"message": "No models loaded. Please load a model in the developer page."}}),
    (400, {"error": {"message": "No models are currently loaded."}}),
    (400, {"error": {"message": "/chat/completions: Invalid model name passed in model=x. Call"}}),
    (404, {"error": {"message": "The model 'x' does not exist or you do not have access to it."}}),
    (400, {"error": {"message": "The requested model 'x' does not exist"}}),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-x"}}),
    (404, [{"error": {"message": "models/x is not found for API version v1", "code": 404}}]),
    (400, {"error": {"message": "The model `x` has been decommissioned and is unsupported."}}),
    (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model"}),
    (400, {"error": {"message": "Model Not Exist"}}),
    (400, {"error": {"message": "x is not a valid model ID", "code": 400}}),
    (404, {"error": {"message": "No endpoints found for x."}}),
    (400, {"message": "The provided model identifier is invalid."}),
    (400, {"error": {"code": "model_not_found", "message": "nope"}}),
    (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment is not there"}}),
    (400, {"error": {"code": "unknown_model", "message": "Unknown model: x"}}),
    (400, "could not find real modelID for x"),
    (None, {"error": {"message": "model 'x' not found"}}),
    (422, {"detail": "Model x does not exist"}),
    (404, {"error": "Model 'x' is not available"}),
    (404, {"error": "Unknown model x"}),
    (404, {"error": "The requested model is not currently served"}),
]


def error_for(status: int | None, payload: object) -> SmolChatError:
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return error_from_response(status, body.encode())


@pytest.mark.parametrize(("status", "payload"), NOT_FOUND_BODIES)
def test_missing_model_is_404(status: int | None, payload: object) -> None:
    error = error_for(status, payload)
    assert isinstance(error, ModelNotFoundError)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


def test_server_without_a_loaded_model_is_named() -> None:
    error = error_for(404, {"error": {"message": "No models loaded. Please load a model."}})
    assert error.message.startswith("The model server has no model loaded. Load one there")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ""),
        (404, "404 page not found"),
        (404, '{"detail":"Not Found"}'),
        (404, '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
        (404, "<html><body>model not here</body></html>"),
        (404, '{"error":{"message":"Invalid URL (POST /v1/chat)"}}'),
        (405, '{"detail":"Method Not Allowed"}'),
        (None, '{"error":"Unexpected endpoint or method. (POST /chat/completions)"}'),
    ],
)
def test_missing_route_is_not_a_missing_model(status: int | None, body: str) -> None:
    assert isinstance(error_for(status, body), ModelServerRouteNotFoundError)


@pytest.mark.parametrize(
    "message",
    [
        "model: the tool was not found",
        "The tool model_x was not found",
        "The model file not found",
        "model type not found",
        "Image not found in the model's cache",
    ],
)
def test_other_missing_thing_is_not_a_missing_model(message: str) -> None:
    error = error_for(400, {"error": {"message": message}})
    assert type(error) is InvalidRequestError


UNREADABLE = [
    "The model produced output that does not match the expected peg-native format",
    "The model produced output that does not match the expected Hermes 2 Pro format",
    "Failed to parse input at pos 184: <tool_call>{unable to load runner",
    "Failed to parse tool call: prompt is too long",
    "Failed to parse model output: model 'x' not found",
    "Invalid diff: now finding less tool calls!",
    "Unexpected token 12606 while expecting start token 200006",
    "Malformed function call",
    "error parsing tool call: raw='{\"a\"', err=unexpected end of JSON input",
    "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more.",
    "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.",
    "Parsing failed. The model generated output that could not be parsed.",
]


@pytest.mark.parametrize("status", [500, 400, None])
@pytest.mark.parametrize("message", UNREADABLE)
def test_malformed_output_of_the_model_is_not_the_clients_fault(
    status: int | None, message: str
) -> None:
    payload = {"error": {"message": message, "type": "invalid_request_error", "code": status}}
    error = error_for(status, payload)
    assert isinstance(error, ModelOutputUnreadableError)
    assert (error.status, error.code) == (502, "model_output_invalid")
    assert "Try again, or choose other tools or another model" in error.message
    assert "tool_call>" not in error.message


def test_malformed_tool_call_in_the_history_is_the_clients_fault() -> None:
    message = "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] x"
    error = error_for(500, {"error": {"code": 500, "message": message, "type": "server_error"}})
    assert (error.status, error.param) == (400, "messages")
    assert error.message == "The arguments of a tool call in the messages are not valid JSON."


FAULTS: list[tuple[int | None, Any, type[SmolChatError]]] = [
    # by the status of the response
    (400, "", InvalidRequestError),
    (422, "", InvalidRequestError),
    (413, "<html>Request Entity Too Large</html>", RequestTooLargeError),
    (401, "", ModelServerError),
    (402, "", ModelServerError),
    (403, "", ModelServerError),
    (407, "", ModelServerError),
    (408, "", TooManyRequestsError),
    (429, "", TooManyRequestsError),
    (529, "", TooManyRequestsError),
    *((status, "", ModelServerError) for status in (406, 409, 410, 411, 412, 415, 418, 424, 451)),
    *((status, "", ModelServerError) for status in (500, 501, 502, 503, 520)),
    *((status, "", ModelServerTimeoutError) for status in (504, 522, 524)),
    (500, {"error": {"message": "No", "type": "timeout_error"}}, ModelServerTimeoutError),
    (400, {"error": 'model "x" not loaded'}, ModelLoadFailedError),
    (None, {"base_resp": {"status_code": 2013, "status_msg": "No"}}, ModelServerError),
    # an event in a stream, by its code or type
    (None, "", ModelServerError),
    (None, {"error": {"message": "No", "code": 400}}, InvalidRequestError),
    (None, {"error": {"message": "No", "code": "400"}}, InvalidRequestError),
    (None, {"error": {"message": "No", "type": "invalid_request_error"}}, InvalidRequestError),
    (None, {"error": {"message": "No", "type": "BadRequestError"}}, InvalidRequestError),
    (None, {"error": {"message": "No", "status": "INVALID_ARGUMENT"}}, InvalidRequestError),
    (None, {"error": "No", "error_type": "validation"}, InvalidRequestError),
    (None, {"error": {"message": "No", "code": 429}}, TooManyRequestsError),
    (None, {"error": {"message": "No", "code": "429"}}, TooManyRequestsError),
    (None, {"error": {"message": "No", "type": "rate_limit_error"}}, TooManyRequestsError),
    (None, {"error": {"message": "No", "code": "rate_limit_exceeded"}}, TooManyRequestsError),
    (None, {"error": {"message": "No", "status": "RESOURCE_EXHAUSTED"}}, TooManyRequestsError),
    (None, {"type": "error", "error": {"type": "overloaded_error"}}, TooManyRequestsError),
    (None, {"error": "Model is overloaded", "error_type": "overloaded"}, TooManyRequestsError),
    (None, {"error": "server busy, please try again"}, TooManyRequestsError),
    (None, {"error": {"message": "No", "code": 503}}, ModelServerError),
    (None, {"error": {"message": "No", "type": "InternalServerError"}}, ModelServerError),
    (None, {"error": {"message": "No", "code": 504}}, ModelServerTimeoutError),
    (None, {"error": {"message": "No", "type": "authentication_error"}}, ModelServerError),
    (None, {"error": {"message": "No", "code": 404}}, ModelServerError),
    (None, {"error": {"message": "No", "code": 40303}}, ModelServerError),
    (None, {"detail": [{"loc": ["body", "seed"], "msg": "No"}]}, InvalidRequestError),
    # a status that says less than the body
    (500, {"error": {"message": "No", "code": "400", "type": "x"}}, InvalidRequestError),
    (500, {"error": {"message": "No", "type": "BadRequestError"}}, InvalidRequestError),
    (500, {"error": {"message": "No", "type": "rate_limit_error"}}, TooManyRequestsError),
    (500, {"error": {"message": "No", "code": 503}}, ModelServerError),
    (
        503,
        {"error": "server busy, please try again. maximum pending requests exceeded"},
        TooManyRequestsError,
    ),
    (400, {"error": {"message": "CUDA error", "code": 500}}, ModelServerError),
    (400, {"error": {"message": "Broke", "type": "InternalServerError"}}, ModelServerError),
    (
        413,
        {"error": {"message": "Limit 6000", "type": "tokens", "code": "rate_limit_exceeded"}},
        TooManyRequestsError,
    ),
    (
        400,
        [{"error": {"message": "API key not valid. Please pass one.", "code": 400}}],
        ModelServerError,
    ),
    (
        400,
        {"error": {"type": "invalid_request_error", "message": "Your credit balance is low"}},
        ModelServerError,
    ),
    (429, {"error": {"message": "Full", "type": "insufficient_quota"}}, ModelServerError),
    (
        429,
        {"error": {"message": "The engine is overloaded", "type": "server_error"}},
        TooManyRequestsError,
    ),
    # by its words
    (503, {"error": {"message": "The model is being loaded"}}, ModelLoadingError),
    (503, {"detail": "The server is warming up"}, ModelLoadingError),
    (
        503,
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
        ModelLoadingError,
    ),
    (503, {"error": "Model x is currently loading", "estimated_time": 20.0}, ModelLoadingError),
    (
        400,
        {"error": {"message": "As of transformers v4.44, you must provide a chat template"}},
        ModelServerError,
    ),
    (500, {"error": {"message": "Jinja Exception: roles must alternate"}}, ChatTemplateError),
]


@pytest.mark.parametrize(("status", "payload", "expected"), FAULTS)
def test_fault_is_told_rightly(
    status: int | None, payload: object, expected: type[SmolChatError]
) -> None:
    assert type(error_for(status, payload)) is expected


KINDS: list[tuple[type[SmolChatError], tuple[int | None, ...], list[str]]] = [
    (
        ChatTemplateError,
        (500, 400, None),
        [
            "Conversation roles must alternate user/assistant/user/assistant/...",
            "System role not supported",
            "Only user and assistant roles are supported!",
            "System message must be at the beginning.",
            "No user query found in messages.",
            "Unexpected message role.",
            "This model only supports single tool-calls at once!",
            "Value is not callable: null at row 1, column 72:\n{{ foo }}",
            "Unable to generate parser for this template. Automatic parser generation failed: x",
            'template: :3:12: executing "" at <.Tools>: can\'t evaluate field Tools',
        ],
    ),
    (
        TooManyRequestsError,
        (400, 500, 503, None),
        [
            "Too many concurrent requests",
            "rate limited",
            "Queue is full",
            "Slot unavailable",
            "no slot available",
            "Waiting for a free slot timed out",
        ],
    ),
    (
        ModelServerTimeoutError,
        (500, 504, None),
        [
            "Request timed out",
            "timeout of 600s reached",
            "backend process timed out",
            "stream timeout",
            "litellm.Timeout: APITimeoutError - Request timed out.",
            "context deadline exceeded",
        ],
    ),
    (
        ModelLoadingError,
        (503, 500, 409),
        [
            "Model x is not ready yet",
            "model not ready",
            "Engine is starting",
            "Service starting up",
            "Model is initializing",
            "backend is not ready, retry",
            "Deployment is scaling up from zero",
            "The engine is not ready: weights are being loaded",
            "model x is currently being downloaded",
        ],
    ),
    (
        ModelServerError,
        (400, 500, None),
        [
            "Missing Authorization header",
            "Missing API key",
            "Unauthorized",
            "No auth credentials found",
            "you have run out of credits",
            "No API key provided",
            "Client sent an HTTP request to an HTTPS server.",
            "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
            "Model unloaded.",
            "Model has unloaded or crashed..",
            "memory layout cannot be allocated",
        ],
    ),
    (
        InvalidRequestError,
        (400, 500, None),
        [
            "Unsupported content part type: input_audio",
            "unsupported content[].type",
            "Grammar error: Invalid JSON schema",
            "error parsing grammar: unexpected end of input",
        ],
    ),
    (
        ModelNotFoundError,
        (404, 400, 500),
        [
            "x: No such model",
            "no such model: x",
            "There is no model with id x",
            "Model 'x' is not installed",
            "pull model manifest: file does not exist",
        ],
    ),
]


@pytest.mark.parametrize(
    ("expected", "status", "message"),
    [
        (kind, status, message)
        for kind, codes, texts in KINDS
        for status in codes
        for message in texts
    ],
)
def test_words_tell_the_fault_at_any_status(
    expected: type[SmolChatError], status: int | None, message: str
) -> None:
    assert type(error_for(status, {"error": {"message": message}})) is expected


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("image_url is not supported by this model", "This model does not support images."),
        ("Invalid content type. image_url is only supported by some.", "does not support images."),
        ("At most 0 image(s) may be provided in one prompt.", "does not support images."),
        ("This model does not support multimodal inputs", "does not support images."),
        ("this model is missing data required for image input", "does not support images."),
        ("`tools` is not supported in this model", "This model does not support tools."),
        ("Tool calling is not supported with this model", "does not support tools."),
        ("No endpoints found that support tool use.", "does not support tools."),
        (
            '"auto" tool choice requires --enable-auto-tool-choice',
            "without support for tools (vLLM",
        ),
    ],
)
def test_what_a_model_does_not_support_is_named(status: int, message: str, expected: str) -> None:
    error = error_for(status, {"error": {"message": message}})
    assert isinstance(error, InvalidRequestError)
    assert expected in error.message


@pytest.mark.parametrize(
    "message",
    [
        "tool_choice is not supported",
        "Unknown parameter: rate_limiter",
        "The image of the function is not injective",
        "temperature is out of range: the model was trained while loading 2",
        "request_timeout must be positive",
        "Temperatures of this server are starting at 0: it is starting at 0",
    ],
)
def test_similar_words_do_not_change_whose_fault_it_is(message: str) -> None:
    error = error_for(400, {"error": {"message": message}})
    assert type(error) is InvalidRequestError
    assert message in error.message


@pytest.mark.parametrize(
    ("status", "payload", "message"),
    [
        (
            None,
            {"error": {"message": "the GPU fell off the bus"}},
            (
                "The model server failed during the response: the GPU fell off the bus. See its "
                "log for details."
            ),
        ),
        (
            None,
            {"error": {"message": "too many stops", "code": 400}},
            "The model server rejected the request: too many stops.",
        ),
        (
            500,
            {"error": "no such tokenizer"},
            "The model server failed with status 500: no such tokenizer. See its log for details.",
        ),
        (
            409,
            "runner already active",
            (
                "The model server failed with status 409: runner already active. See its log for "
                "details."
            ),
        ),
        (
            412,
            'backend "vllm" is not installed',
            (
                'The model server failed with status 412: backend "vllm" is not installed. See '
                "its log for details."
            ),
        ),
        (
            429,
            {
                "error": {
                    "message": "Rate limit reached for m in organization org-Ab12cd34 on "
                    "tokens per min (TPM): Limit 10000, Used 9000. Visit "
                    "https://x.com/limits to learn more."
                }
            },
            (
                "The model server is busy: Rate limit reached for m on tokens per min (TPM): "
                "Limit 10000, Used 9000. Try again in a few seconds."
            ),
        ),
        (
            503,
            "service unavailable",
            (
                "The model server is not available at the moment: service unavailable. Try again "
                "in a few seconds."
            ),
        ),
        (
            401,
            {"error": {"message": "Incorrect API key provided: sk-1234567890"}},
            "The model server rejected the API key. Check DMR_API_KEY.",
        ),
        (
            403,
            "Origin not allowed",
            "The model server denied access: Origin not allowed. Check DMR_API_KEY.",
        ),
        (
            403,
            {"error": {"message": "It requires a paid plan", "type": "insufficient_credits"}},
            (
                "The account at the model server has no credit left: It requires a paid plan. "
                "Check its plan."
            ),
        ),
        (
            429,
            {"error": {"message": "You exceeded your current quota", "code": "x"}},
            (
                "The account at the model server has no credit left: You exceeded your current "
                "quota. Check its plan."
            ),
        ),
        (
            400,
            {"error": "registry.ollama.ai/library/x:latest does not support tools"},
            "This model does not support tools. Remove them, or choose another model.",
        ),
        (
            400,
            {"error": "registry.ollama.ai/library/x does not support thinking"},
            "The model server rejected the request: x does not support thinking.",
        ),
        (
            500,
            {"error": {"message": "tools param requires --jinja flag"}},
            "The model server was started without support for tools (llama.cpp's `--jinja`).",
        ),
    ],
)
def test_message_has_our_words_and_the_servers_reason(
    status: int | None, payload: object, message: str
) -> None:
    assert error_for(status, payload).message == message


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (
            (
                "max_tokens is too large: 5000. This model supports at most 4096 completion "
                "tokens, whereas you provided 5000."
            ),
            None,
        ),
        ("max_tokens: 5000 > 4096, which is the maximum allowed number of output tokens", None),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", None),
        ("max_tokens must be at least 1, got -1.", None),
        ("It is too large", "max_tokens"),
    ],
)
def test_max_tokens_beyond_the_models_own_limit_is_invalid(message: str, param: str | None) -> None:
    error = error_for(400, {"error": {"message": message, "param": param, "code": "x"}})
    assert (error.status, error.code, error.param) == (400, "invalid_request", "max_tokens")
    assert message.rstrip(".") in error.message


def test_refusal_has_the_names_of_the_refused_fields() -> None:
    names = ("stream_options", "seed")
    detail = [{"loc": ["body", name], "msg": "Extra", "input": {"top_p": 1}} for name in names]
    error = error_for(422, {"object": "error", "message": {"detail": detail}})
    assert isinstance(error, InvalidRequestError)
    assert error.message == (
        "The model server rejected the request: stream_options: Extra; seed: Extra."
    )
    assert all(name in error.refusal.split() for name in names)
    assert "top_p" not in error.refusal
    assert error.param is None
