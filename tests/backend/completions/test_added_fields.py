"""What SmolChat adds to a request: a refusal of it is never the client's, and is forgotten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.fake_model_server import (
    JSON,
    FakeModelServer,
    Reply,
    ServerVariant,
    running_fake_model_server,
)
from tests.support.model_server_variants import DMR, LLAMA_SERVER, OLLAMA, VLLM
from tests.support.requests import HELLO, STREAMED
from tests.support.sse import parse_chunks, text_of

pytestmark = pytest.mark.anyio

RECEIPT = {"smolchat": {"receipt": True}}
STRICT = {"messages", "model", "stream", "max_tokens", "temperature", "top_p"}


def refusal(message: object, status: int = 400, **fields: Any) -> Reply:
    return Reply(status, JSON, [json.dumps({"error": {"message": message} | fields}).encode()])


UNSUPPORTED = refusal(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.",
    type="invalid_request_error",
    param="max_tokens",
    code="unsupported_parameter",
)
OVERFLOW = refusal(
    "This model's maximum context length is 512 tokens. However, you requested 1024 output tokens "
    "and your prompt contains at least 9 input tokens, for a total of at least 1033 tokens.",
    param="input_tokens",
)
PROMPT_OVERFLOW = refusal(
    "This model's maximum context length is 512 tokens. However, your prompt contains at least "
    "9000 input tokens.",
    param="input_tokens",
)


@pytest.fixture
def variant() -> ServerVariant:
    return DMR


@pytest.fixture
def model_server(variant: ServerVariant) -> Iterator[FakeModelServer]:
    with running_fake_model_server(variant=variant) as server:
        yield server


@pytest.fixture
def settings(variant: ServerVariant, model_server: FakeModelServer) -> Settings:
    model_id = "smollm2" if variant is OLLAMA else "ai/smollm2:latest"
    return Settings(model_id=model_id, dmr_base_url=model_server.base_url)


def sent_fields(model_server: FakeModelServer) -> list[set[str]]:
    return [request.body.keys() - {"messages", "model"} for request in model_server.chat_requests]


@pytest.mark.parametrize("variant", [DMR, LLAMA_SERVER, OLLAMA])
async def test_server_that_writes_without_end_gets_the_default_limit(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).is_success
    assert model_server.chat_requests[0].body["max_tokens"] == 1024


@pytest.mark.parametrize("variant", [VLLM, ServerVariant(models=Reply(404))])
async def test_other_server_gets_no_limit_of_ours(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    assert (await api_client.post("/chat", json=HELLO)).is_success
    assert sent_fields(model_server) == [{"stream"}]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n_predict"])
@pytest.mark.parametrize("limit", [7, -1])
async def test_limit_of_the_client_is_sent_alone_and_under_its_name(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, name: str, limit: int
) -> None:
    assert (await api_client.post("/chat", json=HELLO | {name: limit})).is_success
    assert sent_fields(model_server) == [{"stream", name}]
    assert model_server.chat_requests[0].body[name] == limit


@pytest.mark.parametrize("reply", [UNSUPPORTED, OVERFLOW], ids=["unsupported", "overflow"])
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_refused_default_limit_is_left_out_in_a_second_request(
    body: dict[str, Any], reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    assert (await api_client.post("/chat", json=body)).status_code == 200
    assert sent_fields(model_server) == [{"stream", "max_tokens"}, {"stream"}]


@pytest.mark.parametrize("reply", [UNSUPPORTED, OVERFLOW], ids=["unsupported", "overflow"])
async def test_refused_limit_of_the_client_is_not_asked_again(
    reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    assert (await api_client.post("/chat", json=HELLO | {"max_tokens": 900})).status_code == 400
    assert len(model_server.chat_requests) == 1


async def test_prompt_that_is_too_long_by_itself_is_not_asked_again(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(PROMPT_OVERFLOW)
    response = await api_client.post("/chat", json=HELLO)
    assert (response.status_code, response.json()["error"]["code"]) == (
        400,
        "context_length_exceeded",
    )
    assert len(model_server.chat_requests) == 1


async def test_overflow_says_nothing_about_the_next_request(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(OVERFLOW)
    for _ in range(2):
        await api_client.post("/chat", json=HELLO)
    assert sent_fields(model_server)[-1] == {"stream", "max_tokens"}


@pytest.mark.parametrize("variant", [replace(VLLM, accepted_fields=frozenset(STRICT))])
@pytest.mark.parametrize("body", [HELLO, STREAMED])
async def test_strict_server_is_remembered_after_one_refusal(
    body: dict[str, Any], api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for _ in range(2):
        response = await api_client.post("/chat", json=body | RECEIPT)
        assert response.status_code == 200
    first, *others = sent_fields(model_server)
    assert first >= {"stream", "seed"}
    assert others == [{"stream"}] * 2


@pytest.mark.parametrize("variant", [replace(VLLM, accepted_fields=frozenset(STRICT))])
async def test_strict_server_answers_structured_requests(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    body = HELLO | {"response_type": "sentiment"}
    response = await api_client.post("/structured", json=body)
    # The recorded answer is no JSON, but it was one.
    assert response.json()["error"]["code"] in ("validation_failed", "output_truncated")
    assert sent_fields(model_server)[-1] == {"stream"}


@pytest.mark.parametrize("variant", [replace(VLLM, accepted_fields=frozenset(STRICT))])
async def test_refused_field_of_the_client_is_the_clients_to_mend(
    api_client: httpx.AsyncClient,
) -> None:
    response = await api_client.post("/chat", json=HELLO | RECEIPT | {"top_k": 5})
    assert response.status_code == 400
    assert "top_k" in response.json()["error"]["message"]
    assert "seed" not in response.json()["error"]["message"]


@pytest.mark.parametrize("variant", [VLLM])
@pytest.mark.parametrize(
    "reply",
    [
        refusal("Extra inputs are not permitted", 422),
        Reply(400, chunks=[b"Bad Request"]),
        Reply(
            422,
            JSON,
            [
                json.dumps(
                    {
                        "object": "error",
                        "message": {
                            "detail": [
                                {
                                    "type": "extra_forbidden",
                                    "loc": ["body", "stream_options"],
                                    "msg": "Extra inputs are not permitted",
                                }
                            ]
                        },
                    }
                ).encode()
            ],
        ),
    ],
    ids=["unnamed", "text", "detail"],
)
async def test_fields_of_ours_are_left_out_if_the_refusal_names_none_of_the_clients(
    reply: Reply, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(reply)
    response = await api_client.post("/chat", json=STREAMED | RECEIPT)
    assert response.status_code == 200
    assert text_of(parse_chunks(response.text))
    assert "stream_options" not in model_server.chat_requests[1].body


async def test_explicit_stream_field_is_always_sent(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    for body in (HELLO, HELLO | {"stream": None}, STREAMED):
        await api_client.post("/chat", json=body)
    assert [request.body["stream"] for request in model_server.chat_requests] == [
        False,
        False,
        True,
    ]
