"""The API behaves as its OpenAPI schema says, with generated requests."""

import re
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
from tests.support.requests import HELLO

OPENAPI: dict[str, Any] = create_app(Settings.load()).openapi()
SCHEMAS = OPENAPI["components"]["schemas"]
OPERATIONS = {
    (path, method): operation
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}
CHAT = OPERATIONS["/chat", "post"]
IMPORT = "/conversations/import"
MODEL_SERVER_PATHS = ["/chat", "/v1/chat/completions", "/structured", "/models", "/v1/models"]

IS_THOROUGH = settings.get_current_profile_name() == "ci"

# All checks but one: "0.5" is accepted where the schema, which is written for authors of clients,
# says number.
CONFIG = {
    "continue-on-failure": True,
    "phases": {"coverage": {"enabled": IS_THOROUGH}},
    "checks": {"negative_data_rejection": {"enabled": False}},
}


def _without_default_responses() -> dict[str, Any]:
    """Return the schema without `default` responses, so that each status must be listed."""
    schema = deepcopy(OPENAPI)
    for methods in schema["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return schema


contract = schemathesis.openapi.from_dict(
    _without_default_responses(), config=SchemathesisConfig.from_dict(CONFIG)
)
# The same examples on every run, on slow machines too; the examples of one test share its API.
deterministic = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
Case = schemathesis.Case[Any]
Outcomes = set[tuple[GenerationMode, int]]


@pytest.fixture
def outcomes() -> Iterator[Outcomes]:
    """Collect what was sent and returned: valid and invalid requests must both have occurred."""
    outcomes: Outcomes = set()
    yield outcomes
    assert {(GenerationMode.POSITIVE, 200), (GenerationMode.NEGATIVE, 400)} <= outcomes


# What no schema describes: which names there are, that each is there once, that n is 1 where a
# request has tools, of its own or in its messages, and that files to search are named and exist.
_UNDESCRIBED = {"tools", "functions", "tool_choice", "n", "smolchat.tools"}


def _validate(case: Case, response: Any) -> None:
    param = response.json()["error"]["param"] if response.status_code in (400, 422) else None
    # A tool has a schema of its own.
    is_refused = param in _UNDESCRIBED or str(param).startswith(("tools.", "smolchat.file_search"))
    case.validate_response(
        response, excluded_checks=[positive_data_acceptance] if is_refused else None
    )


@contract.include(tag="chat").parametrize()
@deterministic
def test_chat_responses_match_the_schema(case: Case, api_url: str, outcomes: Outcomes) -> None:
    response = case.call(base_url=api_url)
    _validate(case, response)
    assert case.meta
    outcomes.add((case.meta.generation.mode, response.status_code))


@contract.include(path="/chat").parametrize()
@deterministic
def test_chat_streams_match_the_schema(case: Case, api_url: str, outcomes: Outcomes) -> None:
    if isinstance(case.body, dict):
        case.body = case.body | {"stream": True}
    response = case.call(base_url=api_url)
    _validate(case, response)
    if response.status_code == 200:
        assert response.headers["content-type"] == ["text/event-stream; charset=utf-8"]
    assert case.meta
    outcomes.add((case.meta.generation.mode, response.status_code))


@contract.include(path="/structured").parametrize()
@deterministic
def test_structured_responses_match_the_schema(case: Case, api_url: str) -> None:
    # The fake model server returns no matching JSON, and not every JSON schema is supported.
    response = case.call(base_url=api_url)
    case.validate_response(response, excluded_checks=[not_a_server_error, positive_data_acceptance])
    assert response.status_code != 500


@contract.include(path="/ag-ui").parametrize()
@deterministic
def test_agui_runs_match_the_schema(case: Case, api_url: str) -> None:
    """The schema does not say how messages end, nor which tools there are."""
    case.call_and_validate(base_url=api_url, excluded_checks=[positive_data_acceptance])


@contract.exclude(tag="chat").exclude(path=["/structured", "/ag-ui", IMPORT]).parametrize()
@deterministic
def test_all_other_responses_match_the_schema(case: Case, api_url: str) -> None:
    response = case.call_and_validate(base_url=api_url)
    if response.request.method == "PUT" and response.status_code < 300:
        httpx.delete(str(response.request.url))  # there is a limit on presets


@contract.include(path=IMPORT).parametrize()
@deterministic
def test_import_responses_match_the_schema(case: Case, api_url: str) -> None:
    """The schema does not define an export file, so valid requests may be refused."""
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
async def test_model_server_errors_match_the_schema(
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
    body: dict[str, Any],
    reply: Reply,
    status: int,
) -> None:
    model_server.replies.append(reply)
    _assert_matches_schema(await api_client.post("/chat", json=body), status)


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
async def test_security_errors_match_the_schema(
    api_client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    _assert_matches_schema(await api_client.post("/chat", json=HELLO, headers=headers), status)


@pytest.mark.anyio
async def test_openapi_schema_is_served(api_client: httpx.AsyncClient) -> None:
    assert (await api_client.get("/openapi.json")).json() == OPENAPI


def test_chat_request_schema_has_every_field() -> None:
    [media_type] = CHAT["requestBody"]["content"].items()
    reference = {"$ref": "#/components/schemas/ChatCompletionRequest"}
    assert media_type == ("application/json", {"schema": reference})
    request = SCHEMAS["ChatCompletionRequest"]
    assert request["required"] == ["messages"]
    assert set(request["properties"]) == set(ChatCompletionRequest.model_fields)
    assert all(field["description"] for field in request["properties"].values())


def test_route_aliases_have_the_same_schema() -> None:
    def without_id(operation: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in operation.items() if name != "operationId"}

    assert without_id(CHAT) == without_id(OPERATIONS["/v1/chat/completions", "post"])
    assert without_id(OPERATIONS["/models", "get"]) == without_id(OPERATIONS["/v1/models", "get"])


def test_chat_response_is_json_or_an_event_stream() -> None:
    assert set(CHAT["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_possible_status_is_listed(path: str, method: str) -> None:
    expected = {"400", "401", "403", "413", "500"}
    if re.match("/(conversations|presets|(v1/)?(files|vector_stores)|tools(/{name})?$)", path):
        expected |= {"503"}
    if path in MODEL_SERVER_PATHS:
        expected |= {"404", "429", "502", "503", "504"}
    if method in ("post", "put", "patch"):
        expected |= {"415"}
    listed = set(OPERATIONS[path, method]["responses"])
    assert expected <= listed
    assert listed & {"200", "201", "204"}


def test_all_errors_have_the_openai_shape() -> None:
    responses = [
        response for operation in OPERATIONS.values() for response in operation["responses"].items()
    ]
    errors = [response["content"] for status, response in responses if not status.startswith("2")]
    schema = {"$ref": "#/components/schemas/ErrorBody"}
    assert errors
    assert all(content == {"application/json": {"schema": schema}} for content in errors)
    assert SCHEMAS["ErrorBody"]["required"] == ["error"]
    assert SCHEMAS["ErrorDetail"]["required"] == ["message", "type", "code", "param"]


def _assert_matches_schema(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert str(status) in CHAT["responses"]
    assert response.headers["content-type"] == "application/json"
    ErrorBody.model_validate(response.json(), strict=True)
