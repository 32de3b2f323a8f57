"""Stored conversations over HTTP: listed, read, changed, deleted."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    """Keep the conversations of each test apart."""
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


async def begun(api: httpx.AsyncClient, **told: Any) -> str:
    response = await api.post("/conversations", json=told)
    assert response.status_code == 201
    conversation: str = response.json()["id"]
    return conversation


async def turn(api: httpx.AsyncClient, conversation: str, text: str, **told: Any) -> dict[str, str]:
    smolchat = {"conversation": conversation} | told
    body = {"messages": [{"role": "user", "content": text}], "smolchat": smolchat}
    ids: dict[str, str] = (await api.post("/chat", json=body)).json()["smolchat"]["conversation"]
    return ids


async def test_a_conversation_begins_with_what_it_is_given(api_client: httpx.AsyncClient) -> None:
    told = {"title": "T", "model": "m", "system_prompt": "S", "parameters": {"top_k": 1}}
    conversation = await begun(api_client, **told)
    found = (await api_client.get(f"/conversations/{conversation}")).json()
    assert told.items() <= found.items()
    assert (found["messages"], found["current"]) == ([], None)
    assert found["created_at"].endswith("Z")


async def test_only_what_is_given_is_changed(api_client: httpx.AsyncClient) -> None:
    conversation = await begun(api_client, title="Old", model="m")
    ids = await turn(api_client, conversation, "Hello")
    changes = {"title": "New", "system_prompt": None, "current": ids["user_message"]}
    changed = (await api_client.patch(f"/conversations/{conversation}", json=changes)).json()
    assert changes.items() <= changed.items()
    assert changed["model"] == "m"
    assert (await api_client.patch(f"/conversations/{conversation}", json={})).json() == changed


async def test_from_which_message_on_is_sent_is_kept(api_client: httpx.AsyncClient) -> None:
    conversation = await begun(api_client)
    path = f"/conversations/{conversation}"
    await turn(api_client, conversation, "Hello")
    later = (await turn(api_client, conversation, "And now?"))["user_message"]
    assert (await api_client.get(path)).json()["sent_from"] is None
    assert (await api_client.patch(path, json={"sent_from": later})).json()["sent_from"] == later
    copy = (await api_client.post(f"{path}/duplicate")).json()
    assert copy["sent_from"] == copy["messages"][2]["id"]
    assert (await api_client.patch(path, json={"sent_from": "nobody"})).status_code == 404
    assert (await api_client.patch(path, json={"sent_from": copy["sent_from"]})).status_code == 404
    assert (await api_client.delete(f"{path}/messages/{later}")).status_code == 204
    left = (await api_client.get(path)).json()
    assert (left["sent_from"], len(left["messages"])) == (None, 2)


async def test_the_list_is_searched_and_paged(api_client: httpx.AsyncClient) -> None:
    made = [await begun(api_client, title=f"Chat {number}") for number in range(3)]
    await turn(api_client, made[0], "Something about LLAMAS")
    page = (await api_client.get("/conversations", params={"limit": 2})).json()
    assert [head["id"] for head in page["data"]] == [made[0], made[2]]
    assert page["has_more"]
    page = (await api_client.get(f"/conversations?limit=2&after={made[2]}")).json()
    assert ([head["id"] for head in page["data"]], page["has_more"]) == ([made[1]], False)
    found = (await api_client.get("/conversations", params={"search": "llamas"})).json()["data"]
    assert [head["title"] for head in found] == ["Chat 0"]


async def test_a_copy_is_a_conversation_of_its_own(api_client: httpx.AsyncClient) -> None:
    conversation = await begun(api_client)
    await turn(api_client, conversation, "Hello")
    response = await api_client.post(f"/conversations/{conversation}/duplicate")
    copy = response.json()
    original = (await api_client.get(f"/conversations/{conversation}")).json()
    assert response.status_code == 201
    assert copy["title"] == "Hello (copy)"
    assert copy["current"] == copy["messages"][1]["id"]
    assert [m["content"] for m in copy["messages"]] == [m["content"] for m in original["messages"]]
    await api_client.delete(f"/conversations/{conversation}")
    assert (await api_client.get(f"/conversations/{copy['id']}")).json() == copy


async def test_deleted_is_gone(api_client: httpx.AsyncClient) -> None:
    conversation = await begun(api_client)
    ids = await turn(api_client, conversation, "Hello")
    path = f"/conversations/{conversation}"
    assert (await api_client.delete(f"{path}/messages/{ids['answer_message']}")).status_code == 204
    left = (await api_client.get(path)).json()
    assert [message["id"] for message in left["messages"]] == [ids["user_message"]]
    assert left["current"] == ids["user_message"]
    assert (await api_client.delete(path)).status_code == 204
    assert (await api_client.get(path)).status_code == 404
    assert (await api_client.get("/conversations")).json()["data"] == []


async def test_what_else_was_said_is_read_when_the_newest_is_deleted(
    api_client: httpx.AsyncClient,
) -> None:
    conversation = await begun(api_client)
    path = f"/conversations/{conversation}"
    first = await turn(api_client, conversation, "Hello")
    other = await turn(api_client, conversation, "Good morning", parent=None)
    messages = [first["answer_message"], other["user_message"]]
    assert (await api_client.delete(f"{path}/messages/{messages[1]}")).status_code == 204
    assert (await api_client.get(path)).json()["current"] == messages[0]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/duplicate"),
        ("GET", "/export"),
        ("DELETE", "/messages/x"),
    ],
)
@pytest.mark.parametrize("unknown", ["x", "%00", "...", "%F0%9F", "'--", "0" * 5000])
async def test_an_unknown_conversation_is_404(
    api_client: httpx.AsyncClient, method: str, path: str, unknown: str
) -> None:
    json: dict[str, Any] | None = {} if method == "PATCH" else None
    response = await api_client.request(method, f"/conversations/{unknown}{path}", json=json)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "conversation_not_found"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"parameters": ' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
        b'{"parameters": {"top_p": NaN}}',
        b'{"title": "\\ud800"}',
        b'{"title": "' + b"x" * 201 + b'"}',
        b'{"id": "mine"}',
        b'{"title": null}',
        b"\xff",
        b"",
        b"null",
    ],
)
async def test_what_is_no_conversation_is_400(api_client: httpx.AsyncClient, body: bytes) -> None:
    conversation = await begun(api_client)
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", ""), ("PATCH", f"/{conversation}")):
        response = await api_client.request(
            method, f"/conversations{path}", content=body, headers=headers
        )
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_request_error"
    assert len((await api_client.get("/conversations")).json()["data"]) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=1000", "search=" + "x" * 201, "limit=x"])
async def test_a_list_has_its_bounds(api_client: httpx.AsyncClient, query: str) -> None:
    assert (await api_client.get(f"/conversations?{query}")).status_code == 400


async def test_hostile_text_is_only_text(api_client: httpx.AsyncClient) -> None:
    text = "'; DROP TABLE messages; -- \0 <script>alert(1)</script> %s {0} \u202e"
    conversation = await begun(api_client, title=text, parameters={text: [text, {"a": 10**30}]})
    await turn(api_client, conversation, text)
    found = (await api_client.get(f"/conversations/{conversation}")).json()
    kept = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert (found["title"], found["messages"][0]["content"]) == (kept, kept)
    assert found["parameters"] == {text: [text, {"a": 10**30}]}
    assert (await api_client.get("/conversations", params={"search": text})).status_code == 200


async def test_pages_elsewhere_and_strangers_get_nothing(api_client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    assert (await api_client.get("/conversations", headers=origin)).status_code == 403
    assert (await api_client.get("/conversations/export", headers=origin)).status_code == 403
