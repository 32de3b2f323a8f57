"""What a request with tools may not have, as any chat request."""

from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import HELLO
from tests.support.tool_replies import WEATHER

pytestmark = pytest.mark.anyio
REMOTE = {"type": "object", "properties": {"a": {"$ref": "https://elsewhere.example/a"}}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": 'root ::= "a"'}, "grammar"),
        ({"json_schema": REMOTE}, "json_schema"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": REMOTE},
                }
            },
            "response_format",
        ),
    ],
)
async def test_other_schemas_of_a_request_with_tools_are_checked(
    fields: dict[str, Any],
    param: str,
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
) -> None:
    response = await api_client.post("/chat", json=HELLO | {"tools": [WEATHER]} | fields)
    assert (response.status_code, response.json()["error"]["param"]) == (422, param)
    assert model_server.chat_requests == []
