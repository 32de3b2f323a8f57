"""An invalid request is refused in one sentence about the field that is wrong."""

from typing import Any

import httpx
import pytest

from tests.support.requests import HELLO

pytestmark = pytest.mark.anyio

ROLES = "'system', 'developer', 'user', 'assistant', 'tool', 'function'"


def _message(**fields: Any) -> dict[str, Any]:
    return {"messages": [fields]}


@pytest.mark.parametrize(
    ("fields", "param", "reason"),
    [
        ({"stop": ["a"] * 17}, "stop", "must have at most 16 items, not 17"),
        ({"stop": 5}, "stop", "must be a string or a list"),
        ({"stop": ["a", ""]}, "stop.1", "String should have at least 1 character"),
        ({"messages": []}, "messages", "must not be empty"),
        ({"messages": "Hi"}, "messages", "must be a list"),
        ({"messages": ["Hi"]}, "messages.0", "must be an object"),
        (_message(role="owner", content="Hi"), "messages.0.role", f"must be one of {ROLES}"),
        (_message(role=None, content="Hi"), "messages.0.role", f"must be one of {ROLES}"),
        (_message(role=["user"], content="Hi"), "messages.0.role", f"must be one of {ROLES}"),
        (_message(content="Hi"), "messages.0.role", "Field required"),
        (_message(role="user"), "messages.0.content", "Field required"),
        (_message(role="user", content=[]), "messages.0.content", "must not be empty"),
        (_message(role="system", content=[]), "messages.0.content", "must not be empty"),
        (_message(role="user", content=5), "messages.0.content", "must be a string or a list"),
        (_message(role="user", content=None), "messages.0.content", "must be a string or a list"),
        (_message(role="user", content={}), "messages.0.content", "must be a string or a list"),
        (_message(role="assistant", content=5), "messages.0.content", "must be a string or a list"),
        (_message(role="user", content=["Hi"]), "messages.0.content.0", "must be an object"),
        (_message(role="user", content=[{}]), "messages.0.content.0.type", "Field required"),
        (_message(role="user", content=[{"type": "text", "text": 5}]),
         "messages.0.content.0.text", "must be a string"),
        (_message(role="assistant", tool_calls="a"), "messages.0.tool_calls", "must be a list"),
        ({"logit_bias": {"1": 500}}, "logit_bias.1", "Input should be less than or equal to 100"),
        ({"logit_bias": 5}, "logit_bias", "must be an object or a list"),
        ({"tool_choice": 5}, "tool_choice",
         "Input should be 'none', 'auto', 'required' or 'any'"),
        ({"temperature": 9}, "temperature", "Input should be less than or equal to 2"),
        ({"smolchat": {"x": 1}}, "smolchat.x", "Extra inputs are not permitted"),
    ],
)  # fmt: skip
async def test_invalid_field_is_named_with_what_is_wrong(
    api_client: httpx.AsyncClient, fields: dict[str, Any], param: str, reason: str
) -> None:
    response = await api_client.post("/chat", json=HELLO | fields)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["message"]) == (param, f"{param}: {reason}.")
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("content", ["[1]", "5", '"a"', ""])
async def test_body_that_is_not_an_object_is_refused(
    api_client: httpx.AsyncClient, content: str
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await api_client.post("/chat", content=content, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["param"] is None
