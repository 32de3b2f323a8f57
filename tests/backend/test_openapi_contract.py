"""The API keeps what its own description says, whatever it is sent."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from backend.http.error_handlers import ErrorBody
from backend.main import create_app
from backend.protocol import ChatCompletionRequest
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer, Reply, replay

DESCRIPTION: dict[str, Any] = create_app(Settings.load()).openapi()
SCHEMAS = DESCRIPTION["components"]["schemas"]
OPERATIONS = {
    (path, method): operation
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
}
CHAT = OPERATIONS["/chat", "post"]
IMPORT = "/conversations/import"
ASKING = ["/chat", "/v1/chat/completions", "/structured", "/models", "/v1/models"]
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}

# All checks but one: "0.5" is read as the number that was meant, though the description, which is
# for whoever writes a client, says number.
CONFIG = {
    "continue-on-failure": True,
    "checks": {"negative_data_rejection": {"enabled": False}},
}


def _listed() -> dict[str, Any]:
    """Leave `default` out, which stands for every status: each that is met has to be listed."""
    listed = deepcopy(DESCRIPTION)
    for methods in listed["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return listed


contract = schemathesis.openapi.from_dict(_listed(), config=SchemathesisConfig.from_dict(CONFIG))
# The same examples each time, however slow the machine; those of one test share its API.
steady = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
Case = schemathesis.Case[Any]
Seen = set[tuple[GenerationMode, int]]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Hold what was sent and what came back: what is right has to have been answered too."""
    seen: Seen = set()
    yield seen
    assert {(GenerationMode.POSITIVE, 200), (GenerationMode.NEGATIVE, 400)} <= seen


@contract.include(tag="chat").parametrize()
@steady
def test_chats_are_answered_as_described(case: Case, api_url: str, seen: Seen) -> None:
    response = case.call_and_validate(base_url=api_url)
    assert case.meta
    seen.add((case.meta.generation.mode, response.status_code))


@contract.include(path="/chat").parametrize()
@steady
def test_streams_are_as_described(case: Case, api_url: str, seen: Seen) -> None:
    if isinstance(case.body, dict):
        case.body = case.body | {"stream": True}
    response = case.call_and_validate(base_url=api_url)
    if response.status_code == 200:
        assert response.headers["content-type"] == ["text/event-stream; charset=utf-8"]
    assert case.meta
    seen.add((case.meta.generation.mode, response.status_code))


@contract.include(path="/structured").parametrize()
@steady
def test_forms_are_as_described(case: Case, api_url: str) -> None:
    # The scripted model server fills in no form, and not everything that is a schema can be used.
    response = case.call(base_url=api_url)
    case.validate_response(response, excluded_checks=[not_a_server_error, positive_data_acceptance])
    assert response.status_code != 500


@contract.exclude(tag="chat").exclude(path=["/structured", IMPORT]).parametrize()
@steady
def test_everything_else_is_as_described(case: Case, api_url: str) -> None:
    case.call_and_validate(base_url=api_url)


@contract.include(path=IMPORT).parametrize()
@steady
def test_imports_are_as_described(case: Case, api_url: str) -> None:
    """What an export is, no schema says: what is none is refused."""
    case.call_and_validate(base_url=api_url, excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("body", [HELLO, HELLO | {"stream": True}])
@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (replay("err-overflow"), 400),
        (replay("err-model-not-pulled"), 404),
        (Reply(status=500), 502),
    ],
)
@pytest.mark.anyio
async def test_failures_are_as_described(
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
    body: dict[str, Any],
    reply: Reply,
    status: int,
) -> None:
    model_server.replies.append(reply)
    _is_described(await api_client.post("/chat", json=body), status)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "elsewhere.example"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Content-Length": "1000000000"}, 413),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
@pytest.mark.anyio
async def test_refusals_at_the_door_are_as_described(
    api_client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    _is_described(await api_client.post("/chat", json=HELLO, headers=headers), status)


@pytest.mark.anyio
async def test_the_description_is_served(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/openapi.json")).json() == DESCRIPTION


def test_the_request_is_described_with_every_field() -> None:
    [media_type] = CHAT["requestBody"]["content"].items()
    reference = {"$ref": "#/components/schemas/ChatCompletionRequest"}
    assert media_type == ("application/json", {"schema": reference})
    request = SCHEMAS["ChatCompletionRequest"]
    assert request["required"] == ["messages"]
    assert set(request["properties"]) == set(ChatCompletionRequest.model_fields)
    assert all(field["description"] for field in request["properties"].values())


def test_both_names_of_a_route_are_described_alike() -> None:
    def told(operation: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in operation.items() if name != "operationId"}

    assert told(CHAT) == told(OPERATIONS["/v1/chat/completions", "post"])
    assert told(OPERATIONS["/models", "get"]) == told(OPERATIONS["/v1/models", "get"])


def test_an_answer_is_json_or_a_stream() -> None:
    assert set(CHAT["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_statuses_are_listed(path: str, method: str) -> None:
    wanted = {"400", "401", "403", "413", "500"}
    if path.startswith(("/conversations", "/presets")):
        wanted |= {"503"}
    if path in ASKING:
        wanted |= {"404", "429", "502", "503", "504"}
    if method in ("post", "put", "patch"):
        wanted |= {"415"}
    listed = set(OPERATIONS[path, method]["responses"])
    assert wanted <= listed
    assert listed & {"200", "201", "204"}


def test_every_error_has_the_one_shape() -> None:
    answers = [
        answer for operation in OPERATIONS.values() for answer in operation["responses"].items()
    ]
    errors = [answer["content"] for status, answer in answers if not status.startswith("2")]
    schema = {"$ref": "#/components/schemas/ErrorBody"}
    assert errors
    assert all(content == {"application/json": {"schema": schema}} for content in errors)
    assert SCHEMAS["ErrorBody"]["required"] == ["error"]
    assert SCHEMAS["ErrorDetail"]["required"] == ["message", "type", "code", "param"]


def _is_described(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert str(status) in CHAT["responses"]
    assert response.headers["content-type"] == "application/json"
    ErrorBody.model_validate(response.json(), strict=True)
