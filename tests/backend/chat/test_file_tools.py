"""The tool `search_files`: when there is one, which files it searches, and what it returns."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.files.reading.document import Section
from tests.backend.chat.test_file_chat import MUSEUM, QUESTION, ask, message_of, post
from tests.support.fake_model_server import FakeModelServer
from tests.support.stored_files import store_file
from tests.support.tool_replies import WEATHER, call_reply

pytestmark = pytest.mark.anyio
BREWERY = "The brewery opened in 1890 beside the harbour. It sells beer to sailors.\n"


def steps_of(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return list(reply["smolchat"].get("steps", []))


async def test_tool_is_listed_once_a_file_has_been_read(
    app: FastAPI, api_client: httpx.AsyncClient
) -> None:
    async def listed() -> list[str]:
        return [tool["name"] for tool in (await api_client.get("/tools")).json()["data"]]

    assert "search_files" not in await listed()
    file = await store_file(app, MUSEUM)
    assert "search_files" in await listed()
    await app.state.files.ingestion.delete(file)
    assert "search_files" not in await listed()


@pytest.mark.parametrize(
    "fields",
    [{"smolchat": {"tools": ["calculator"]}}, {"tools": [WEATHER]}, {"smolchat": {"tools": "all"}}],
)
async def test_tools_of_a_request_with_files_search_those(
    app: FastAPI,
    api_client: httpx.AsyncClient,
    model_server: FakeModelServer,
    fields: dict[str, Any],
) -> None:
    model_server.knows_tools = False
    file = await store_file(app, MUSEUM, "museum.pdf", [Section(0, len(MUSEUM), 4, "History")])
    await store_file(app, BREWERY, "brewery.txt")
    reply = await post(api_client, ask("When did the harbour place open?", file, **fields))
    [step] = steps_of(reply)
    assert (step["tool"], step["state"]) == ("search_files", "finished")
    assert step["arguments"] == {"query": "When did the harbour place open?"}
    assert "museum.pdf, page 4, History (characters 0 to " in step["result"]
    assert "opened in 1931" in step["result"]
    assert "brewery" not in step["result"]


async def test_tool_searches_all_files_if_the_request_names_none(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    model_server.replies.append(call_reply(("search_files", {"query": "brewery"})))
    await store_file(app, MUSEUM, "museum.pdf")
    await store_file(app, BREWERY, "brewery.txt")
    body = ask("According to my files, when did the brewery open?", "")
    body["smolchat"] = {"tools": ["search_files"]}
    [step] = steps_of(await post(api_client, body))
    assert step["result"].startswith("[1] brewery.txt (characters 0 to ")


async def test_question_to_files_after_steps_sends_none_of_them(
    app: FastAPI, api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    file = await store_file(app, MUSEUM)
    call = {"id": "c", "type": "function", "function": {"name": "calculator", "arguments": "{}"}}
    body = ask(QUESTION, file, search={"mode": "whole"}, model="some-8b")
    body["messages"] = [
        {"role": "user", "content": "What is 1 + 1?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "2"},
        {"role": "assistant", "content": "2"},
        *body["messages"],
    ]
    assert message_of(await post(api_client, body))["content"]
    sent = model_server.chat_requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
