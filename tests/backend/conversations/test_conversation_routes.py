"""The HTTP routes of stored conversations, except export and import."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def create_conversation(api: httpx.AsyncClient, **fields: Any) -> str:
    response = await api.post("/conversations", json=fields)
    assert response.status_code == 201
    conversation: str = response.json()["id"]
    return conversation


async def send_message(
    api: httpx.AsyncClient, conversation: str, text: str, **options: Any
) -> dict[str, str]:
    smolchat = {"conversation": conversation} | options
    body = {"messages": [{"role": "user", "content": text}], "smolchat": smolchat}
    ids: dict[str, str] = (await api.post("/chat", json=body)).json()["smolchat"]["conversation"]
    return ids


async def test_new_conversation_has_the_given_fields(api_client: httpx.AsyncClient) -> None:
    fields: dict[str, Any] = {"title": "T", "model": "m", "system_prompt": "S"}
    fields |= {"parameters": {"top_k": 1}, "pinned": True, "folder": "Work"}
    conversation = await create_conversation(api_client, **fields)
    stored = (await api_client.get(f"/conversations/{conversation}")).json()
    assert fields.items() <= stored.items()
    assert (stored["messages"], stored["current"]) == ([], None)
    assert stored["created_at"].endswith("Z")


async def test_patch_changes_only_the_given_fields(api_client: httpx.AsyncClient) -> None:
    conversation = await create_conversation(api_client, title="Old", model="m")
    ids = await send_message(api_client, conversation, "Hello")
    changes = {"title": "New", "system_prompt": None, "current": ids["user_message"]}
    changed = (await api_client.patch(f"/conversations/{conversation}", json=changes)).json()
    assert changes.items() <= changed.items()
    assert changed["model"] == "m"
    assert (await api_client.patch(f"/conversations/{conversation}", json={})).json() == changed


async def test_sent_from_is_stored_copied_and_validated(api_client: httpx.AsyncClient) -> None:
    conversation = await create_conversation(api_client)
    path = f"/conversations/{conversation}"
    await send_message(api_client, conversation, "Hello")
    later = (await send_message(api_client, conversation, "And now?"))["user_message"]
    assert (await api_client.get(path)).json()["sent_from"] is None
    assert (await api_client.patch(path, json={"sent_from": later})).json()["sent_from"] == later
    copy = (await api_client.post(f"{path}/duplicate")).json()
    assert copy["sent_from"] == copy["messages"][2]["id"]
    assert (await api_client.patch(path, json={"sent_from": "nobody"})).status_code == 404
    assert (await api_client.patch(path, json={"sent_from": copy["sent_from"]})).status_code == 404
    assert (await api_client.delete(f"{path}/messages/{later}")).status_code == 204
    stored = (await api_client.get(path)).json()
    assert (stored["sent_from"], len(stored["messages"])) == (None, 2)


async def test_list_is_searched_and_paged(api_client: httpx.AsyncClient) -> None:
    ids = [await create_conversation(api_client, title=f"Chat {number}") for number in range(3)]
    await send_message(api_client, ids[0], "Something about LLAMAS")
    page = (await api_client.get("/conversations", params={"limit": 2})).json()
    assert [summary["id"] for summary in page["data"]] == [ids[0], ids[2]]
    assert page["has_more"]
    page = (await api_client.get(f"/conversations?limit=2&after={ids[2]}")).json()
    assert ([summary["id"] for summary in page["data"]], page["has_more"]) == ([ids[1]], False)
    matches = (await api_client.get("/conversations", params={"search": "llamas"})).json()["data"]
    assert [summary["title"] for summary in matches] == ["Chat 0"]
    await api_client.patch(f"/conversations/{ids[1]}", json={"pinned": True, "folder": " A&B "})
    listed = (await api_client.get("/conversations")).json()["data"]
    assert [summary["id"] for summary in listed] == [ids[1], ids[0], ids[2]]
    for query, expected in {
        "pinned=true": [ids[1]],
        "folder=A%26B": [ids[1]],
        "folder=": [ids[0], ids[2]],
    }.items():
        listed = (await api_client.get(f"/conversations?{query}")).json()["data"]
        assert [summary["id"] for summary in listed] == expected


async def test_duplicate_is_independent_of_the_original(api_client: httpx.AsyncClient) -> None:
    conversation = await create_conversation(api_client, pinned=True, folder="Work")
    await send_message(api_client, conversation, "Hello")
    response = await api_client.post(f"/conversations/{conversation}/duplicate")
    copy = response.json()
    original = (await api_client.get(f"/conversations/{conversation}")).json()
    assert response.status_code == 201
    assert (copy["title"], copy["pinned"], copy["folder"]) == ("Hello (copy)", True, "Work")
    assert copy["current"] == copy["messages"][1]["id"]
    assert [m["content"] for m in copy["messages"]] == [m["content"] for m in original["messages"]]
    await api_client.delete(f"/conversations/{conversation}")
    assert (await api_client.get(f"/conversations/{copy['id']}")).json() == copy


async def test_deleted_message_and_conversation_are_gone(api_client: httpx.AsyncClient) -> None:
    conversation = await create_conversation(api_client)
    ids = await send_message(api_client, conversation, "Hello")
    path = f"/conversations/{conversation}"
    assert (await api_client.delete(f"{path}/messages/{ids['answer_message']}")).status_code == 204
    stored = (await api_client.get(path)).json()
    assert [message["id"] for message in stored["messages"]] == [ids["user_message"]]
    assert stored["current"] == ids["user_message"]
    deleted = await api_client.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    until = datetime.fromisoformat(deleted.headers["SmolChat-Restorable-Until"])
    assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)
    assert (await api_client.get(path)).status_code == 404
    assert (await api_client.get("/conversations")).json()["data"] == []
    [listed] = (await api_client.get("/conversations?deleted=true")).json()["data"]
    assert listed["id"] == conversation
    restored = await api_client.post(f"{path}/restore")
    assert (restored.status_code, restored.json()) == (200, listed | {"deleted_at": None})
    assert (await api_client.get(path)).json() == stored
    deleted = await api_client.delete(f"{path}?permanent=true")
    assert (deleted.status_code, "SmolChat-Restorable-Until" in deleted.headers) == (204, False)
    assert (await api_client.post(f"{path}/restore")).status_code == 404


async def test_all_are_deleted_only_with_the_confirmation(api_client: httpx.AsyncClient) -> None:
    ids = [await create_conversation(api_client) for _ in range(3)]
    for query in ("", "?confirm=", "?confirm=ALL", "?confirm=true&permanent=true"):
        response = await api_client.delete(f"/conversations{query}")
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "confirmation_required")
        assert error["param"] == "confirm"
    assert (await api_client.delete("/conversations?confirm=all")).json() == {"deleted": 3}
    assert (await api_client.get("/conversations")).json()["data"] == []
    assert (await api_client.post(f"/conversations/{ids[0]}/restore")).status_code == 200


async def test_folders_of_any_name_are_renamed_and_deleted(api_client: httpx.AsyncClient) -> None:
    name, path = "a/../b?c=d&e #%", "/conversations/folders"
    ids = [await create_conversation(api_client, folder=name) for _ in range(2)]
    page = (await api_client.get(path)).json()
    assert page == {"object": "list", "data": [{"name": name, "count": 2}], "has_more": False}
    renamed = await api_client.patch(path, params={"name": name}, json={"name": " .. "})
    assert renamed.json() == {"name": "..", "count": 2}
    gone = await api_client.delete(path, params={"name": name})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "folder_not_found")
    for query, body in (("", {"name": "x"}), ("?name=..", {"name": ""}), ("?name=..", {})):
        assert (await api_client.patch(f"{path}{query}", json=body)).status_code == 400
    assert (await api_client.delete(f"{path}?name=..")).status_code == 204
    assert (await api_client.get(path)).json()["data"] == []
    listed = (await api_client.get("/conversations?folder=")).json()["data"]
    assert {summary["id"] for summary in listed} == set(ids)


async def test_other_methods_are_refused_with_those_of_all_routes(
    api_client: httpx.AsyncClient,
) -> None:
    for path, methods in {
        "": "DELETE, GET, POST",
        "/x": "DELETE, GET, PATCH",
        "/x/messages/y": "DELETE, PATCH",
        "/folders": "DELETE, GET, PATCH",
        "/import": "POST",
        "/export": "GET",
    }.items():
        response = await api_client.put(f"/conversations{path}", json={})
        assert (response.status_code, response.headers["Allow"]) == (405, methods)


async def test_edited_answer_is_corrected_in_place(api_client: httpx.AsyncClient) -> None:
    conversation = await create_conversation(api_client)
    path = f"/conversations/{conversation}"
    answer = (await send_message(api_client, conversation, "Hello"))["answer_message"]
    await send_message(api_client, conversation, "And now?")
    before = (await api_client.get(path)).json()
    response = await api_client.patch(f"{path}/messages/{answer}", json={"content": "Hi \0 there"})
    assert (response.status_code, response.json()["receipt"]) == (200, None)
    after = (await api_client.get(path)).json()
    assert after["messages"][1] == response.json()
    assert after["messages"][1]["content"] == "Hi \N{REPLACEMENT CHARACTER} there"
    assert (after["current"], len(after["messages"])) == (before["current"], 5)
    former = after["messages"][4]
    assert former == before["messages"][1] | {"id": former["id"]}
    invalid: list[Any] = [{}, {"content": None}, {"content": "x", "role": "user"}, [], None]
    for body in invalid:
        assert (await api_client.patch(f"{path}/messages/{answer}", json=body)).status_code == 400


async def test_current_moves_to_the_sibling_when_a_message_is_deleted(
    api_client: httpx.AsyncClient,
) -> None:
    conversation = await create_conversation(api_client)
    path = f"/conversations/{conversation}"
    first = await send_message(api_client, conversation, "Hello")
    second = await send_message(api_client, conversation, "Good morning", parent=None)
    response = await api_client.delete(f"{path}/messages/{second['user_message']}")
    assert response.status_code == 204
    assert (await api_client.get(path)).json()["current"] == first["answer_message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/duplicate"),
        ("POST", "/restore"),
        ("PATCH", "/messages/x"),
        ("GET", "/export"),
        ("DELETE", "/messages/x"),
    ],
)
@pytest.mark.parametrize("unknown", ["x", "%00", "...", "%F0%9F", "'--", "0" * 5000])
async def test_unknown_conversation_returns_404(
    api_client: httpx.AsyncClient, method: str, path: str, unknown: str
) -> None:
    changes = {"content": "New"} if path else {}
    json = changes if method == "PATCH" else None
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
        b'{"pinned": null}',
        b'{"folder": " "}',
        b'{"folder": "a\\nb"}',
        b'{"folder": "' + b"x" * 101 + b'"}',
        b"\xff",
        b"",
        b"null",
    ],
)
async def test_invalid_conversation_returns_400(api_client: httpx.AsyncClient, body: bytes) -> None:
    conversation = await create_conversation(api_client)
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", ""), ("PATCH", f"/{conversation}")):
        response = await api_client.request(
            method, f"/conversations{path}", content=body, headers=headers
        )
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_request_error"
    assert len((await api_client.get("/conversations")).json()["data"]) == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1000", "search=" + "x" * 201, "limit=x", "pinned=x", "folder=" + "x" * 101],
)
async def test_list_parameters_out_of_bounds_return_400(
    api_client: httpx.AsyncClient, query: str
) -> None:
    assert (await api_client.get(f"/conversations?{query}")).status_code == 400


async def test_hostile_text_is_stored_as_text(api_client: httpx.AsyncClient) -> None:
    text = "'; DROP TABLE messages; -- \0 <script>alert(1)</script> %s {0} \u202e"
    conversation = await create_conversation(
        api_client, title=text, parameters={text: [text, {"a": 10**30}]}
    )
    await send_message(api_client, conversation, text)
    stored = (await api_client.get(f"/conversations/{conversation}")).json()
    stored_text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert (stored["title"], stored["messages"][0]["content"]) == (stored_text, stored_text)
    assert stored["parameters"] == {text: [text, {"a": 10**30}]}
    assert (await api_client.get("/conversations", params={"search": text})).status_code == 200


async def test_requests_from_foreign_origins_are_refused(api_client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    assert (await api_client.get("/conversations", headers=origin)).status_code == 403
    assert (await api_client.get("/conversations/export", headers=origin)).status_code == 403
