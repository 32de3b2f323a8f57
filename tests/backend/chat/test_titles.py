"""Titles of conversations that the model writes, with a scripted model server."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.fake_model_server import FakeModelServer, Reply
from tests.support.structured_responses import text_reply
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

QUESTION = "Please help me to plan a  trip to Lisbon in May, with two kids and one dog\nof 8 years"
FIRST_WORDS = "Please help me to plan a trip to Lisbon in May, with two…"


async def create_chat(api: httpx.AsyncClient, model_server: FakeModelServer, **fields: Any) -> str:
    """Store a conversation of one turn, and return its path."""
    path = f"/conversations/{(await api.post('/conversations', json=fields)).json()['id']}"
    model_server.replies.append(text_reply("Take the tram, and see the Oceanarium."))
    smolchat = {"conversation": path.removeprefix("/conversations/")}
    body = {"messages": [{"role": "user", "content": QUESTION}], "smolchat": smolchat}
    assert (await api.post("/chat", json=body)).status_code == 200
    return path


async def write_title(api: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    """Return the reply, and check that it has the title that is stored."""
    response = await api.post(f"{path}/title", json=body)
    assert response.status_code == 200, response.text
    written: dict[str, Any] = response.json()
    assert (await api.get(path)).json()["title"] == written["title"]
    return written


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('{"title": "Family trip to Lisbon"}', "Family trip to Lisbon"),
        ('```json\n{"title": " \\"A tram\\n in  Lisbon.\\" "}\n```', "A tram in Lisbon"),
        ("<think>Trip?</think>" + '{"title": "Planning a trip"}', "Planning a trip"),
        (json.dumps({"title": "Lisbon trip \u202e\u0007kids"}), "Lisbon trip kids"),
        (json.dumps({"title": ("Lisbon trip kids dog May " * 9)[:60]}), None),
        (json.dumps({"title": "A trip to Lisbon in May with a dog and two kids who are eight"}),
         "A trip to Lisbon in May with a dog and two kids who are…"),
    ],
)  # fmt: skip
async def test_title_of_the_model_is_stored(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, text: str, title: str | None
) -> None:
    path = await create_chat(api_client, model_server, model="m/of:chat")
    model_server.replies.append(text_reply(text))
    written = await write_title(api_client, path)
    if title is None:  # it repeats its words
        assert (written["title"], written["source"]) == (FIRST_WORDS, "first_words")
    else:
        assert written == {"title": title, "source": "model", "reason": None}
    assert len(written["title"]) <= 60
    sent = model_server.chat_requests[-1].body
    assert (sent["model"], sent["temperature"], sent["stream"]) == ("m/of:chat", 0, False)
    schema = sent["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["title"]["maxLength"] == 60


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (text_reply('{"title": "Baking bread with a child"}'), "nothing of the conversation"),
        (text_reply('{"title": "…"}'), "nothing of the conversation"),
        (text_reply('{"title": 5}'), "no title"),
        (text_reply('{"title": "Trip to'), "no title"),
        (text_reply(""), "no title"),
        (Reply(status=500), "model server"),
    ],
)
async def test_first_words_take_the_place_of_an_unusable_title(
    api_client: httpx.AsyncClient, model_server: FakeModelServer, reply: Reply, reason: str
) -> None:
    path = await create_chat(api_client, model_server)
    model_server.replies.append(reply)
    written = await write_title(api_client, path)
    assert (written["title"], written["source"]) == (FIRST_WORDS, "first_words")
    assert reason in written["reason"]


async def test_title_of_the_user_is_replaced_only_by_the_model(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    path = await create_chat(api_client, model_server, title="Mine")
    model_server.replies.append(text_reply("?"))
    written = await write_title(api_client, path)
    assert (written["title"], written["source"]) == ("Mine", "kept")
    model_server.replies.append(text_reply('{"title": "Trip to Lisbon"}'))
    written = await write_title(api_client, path, model="other/model:1")
    assert (written["title"], written["source"]) == ("Trip to Lisbon", "model")
    assert model_server.chat_requests[-1].body["model"] == "other/model:1"


async def test_title_that_changes_meanwhile_stays(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    path = await create_chat(api_client, model_server)
    reply = replace(text_reply('{"title": "Trip to Lisbon"}'), release=threading.Event())
    model_server.replies.append(reply)
    writing = asyncio.create_task(write_title(api_client, path))
    await asyncio.to_thread(wait_until, lambda: len(model_server.chat_requests) == 2)
    await api_client.patch(path, json={"title": "Mine"})
    assert reply.release
    reply.release.set()
    written = await writing
    assert written == {"title": "Mine", "source": "kept", "reason": "It was changed meanwhile."}


async def test_conversation_without_a_question_has_no_title(api_client: httpx.AsyncClient) -> None:
    created = (await api_client.post("/conversations", json={})).json()
    path = f"/conversations/{created['id']}"
    assert (await api_client.post(f"{path}/title")).status_code == 400
    assert (await api_client.post(f"{path}/title", json={"title": "x"})).status_code == 400
    await api_client.delete(path)
    for missing in (path, "/conversations/x"):
        response = await api_client.post(f"{missing}/title")
        assert response.json()["error"]["code"] == "conversation_not_found"
