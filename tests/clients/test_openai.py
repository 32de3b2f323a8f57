"""The official `openai` client, unmodified, against the API."""

from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.support.fake_model_server import FakeModelServer, Reply, replay
from tests.support.requests import MODEL_ID

HELLO: list[ChatCompletionMessageParam] = [
    {"role": "developer", "content": "You answer briefly."},
    {"role": "user", "content": [{"type": "text", "text": "Name three colours."}]},
]


@pytest.fixture
def client(api_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_completion_has_content_and_usage(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL_ID, messages=HELLO, temperature=0.2)
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage
    assert completion.model == MODEL_ID


def test_stream_ends_with_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL_ID, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage
    assert {chunk.model for chunk in chunks} == {MODEL_ID}


def test_missing_model_raises_not_found(
    client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-model-not-pulled"))
    with pytest.raises(openai.NotFoundError, match="docker model pull"):
        client.chat.completions.create(model="ai/nosuch", messages=HELLO)


def test_value_out_of_bounds_raises_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=MODEL_ID, messages=HELLO, temperature=9)
    assert error.value.param == "temperature"


def test_lost_connection_raises_after_the_partial_stream(
    client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    text = ""
    with pytest.raises(openai.APIError, match="before the response was complete"):
        for chunk in client.chat.completions.create(model=MODEL_ID, messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text


def test_failing_model_server_raises_internal_server_error(
    client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(status=500))
    with pytest.raises(openai.InternalServerError, match="failed with status 500"):
        client.chat.completions.create(model=MODEL_ID, messages=HELLO)


def test_model_list_has_the_configured_id(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL_ID]
