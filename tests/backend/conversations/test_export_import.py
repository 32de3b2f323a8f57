"""Conversations taken out and brought in."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_core import to_json

from backend.conversations.conversation import Conversation, Message
from backend.conversations.export import content_disposition, to_html, to_markdown
from backend.conversations.importer import parse_import
from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer
from tests.support.requests import MODEL_ID

HOSTILE = (
    "</pre><script src=//x.example></script><img src=http://x.example/i onerror=a()> &amp; {0}"
)
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        data_dir=tmp_path,
        max_body_bytes=1000,
        max_import_bytes=1_000_000,
    )


def talk(text: str = "Hello") -> Conversation:
    asked = Message(role="user", content=text)
    first = Message(role="assistant", parent=asked.id, content="First", receipt={"total_ms": 1.5})
    second = Message(role="assistant", parent=asked.id, model=text, content=text, state="failed")
    second.error, second.logprobs = {"message": text}, [{"token": "x"}]
    messages = [asked, first, second]
    kept = Conversation(title=text, system_prompt=text, messages=messages, current=second.id)
    kept.sent_from = asked.id
    return kept


def without_ids(found: dict[str, Any]) -> dict[str, Any]:
    """Name messages by their place, so that what is left can be compared."""
    ids = {message["id"]: number for number, message in enumerate(found["messages"])}
    messages = [
        message | {"id": ids[message["id"]], "parent": ids.get(message["parent"])}
        for message in found["messages"]
    ]
    ends = {name: ids.get(found[name]) for name in ("current", "sent_from")}
    return found | {"id": None, "messages": messages} | ends


async def brought_in(api: httpx.AsyncClient, body: bytes) -> list[dict[str, Any]]:
    response = await api.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 201, response.text
    heads = response.json()["data"]
    return [(await api.get(f"/conversations/{head['id']}")).json() for head in heads]


@pytest.mark.anyio
async def test_json_holds_everything(api_client: httpx.AsyncClient) -> None:
    made = [talk(), talk(HOSTILE), Conversation()]
    body = {"format": "smolchat", "conversations": [m.model_dump(mode="json") for m in made]}
    found = await brought_in(api_client, to_json(body))
    assert [without_ids(one) for one in found] == [
        without_ids(one.model_dump(mode="json")) for one in made
    ]
    response = await api_client.get(f"/conversations/{found[0]['id']}/export")
    assert response.json()["conversations"] == [found[0]]
    everything = await api_client.get("/conversations/export")
    told = {one["id"]: one for one in everything.json()["conversations"]}
    assert told == {one["id"]: one for one in found}
    assert len(await brought_in(api_client, everything.content)) == 3


@pytest.mark.anyio
async def test_a_file_is_saved_under_the_title(api_client: httpx.AsyncClient) -> None:
    body = {"format": "smolchat", "conversations": [talk().model_dump(mode="json")]}
    [found] = await brought_in(api_client, to_json(body))
    for form, kind in (("json", "application/json"), ("markdown", "text/markdown; charset=utf-8")):
        path = f"/conversations/{found['id']}/export"
        response = await api_client.get(path, params={"format": form})
        assert response.headers["content-type"] == kind
        assert "attachment" in response.headers["content-disposition"]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert (await api_client.get(path, params={"format": "pdf"})).status_code == 400


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Hello", "Hello.json"),
        ("a/b\\c\r\nX: y", "a%20b%20c%20X%20y.json"),
        ("../..", "conversation.json"),
        ("Grüße", "Gr%C3%BC%C3%9Fe.json"),
        ("", "conversation.json"),
    ],
)
def test_a_file_name_is_harmless(title: str, name: str) -> None:
    assert content_disposition(title, "json") == f"attachment; filename*=UTF-8''{name}"


def test_the_page_is_escaped_and_loads_nothing() -> None:
    page = to_html(talk(HOSTILE))
    body = page.partition("<body>")[2]
    assert set(re.findall(r"<[^>]*>", body)) == {
        *("<h1>", "</h1>", "<h2>", "</h2>", "<pre>", "</pre>", "<p>", "</p>", "</body>", "</html>")
    }
    assert "default-src 'none'" in page.partition("<title>")[0]
    assert "First" not in page
    assert "{0}" in body


def test_markdown_holds_the_thread() -> None:
    text = to_markdown(talk("Line\none"))
    assert text == (
        "# Line one\n\n## System\n\nLine\none\n\n## You\n\nLine\none\n\n"
        "## Answer (Line one)\n\nLine\none\n\n*Failed: Line one*\n"
    )


def open_webui(*changes: dict[str, Any]) -> dict[str, Any]:
    """Give a chat as Open WebUI exports one: two answers to a question, and a third begun."""
    messages: dict[str, Any] = {
        "u": {"parentId": None, "childrenIds": ["a", "b"], "role": "user", "content": "Hi"},
        "a": {"parentId": "u", "role": "assistant", "content": "One", "model": "m", "done": True},
        "b": {
            "parentId": "u",
            "role": "assistant",
            "content": '<details type="reasoning" done="true">\n<summary>Thought</summary>'
            "\n> Hm.\n</details>\nTwo",
            "model": "m",
        },
        "v": {"parentId": "b", "role": "user", "content": "Go on", "timestamp": 1700000009},
        "c": {"parentId": "v", "role": "assistant", "content": "", "error": {"content": "No!"}},
        "d": {"parentId": "v", "role": "assistant", "content": "Th", "done": False},
    }
    for key, message in messages.items():
        message |= {"id": key, "timestamp": message.get("timestamp", 1700000000)}
    for change in changes:
        messages |= change
    history = {"messages": messages, "currentId": "d"}
    chat = {"title": "Old talk", "models": ["m"], "history": history, "messages": []}
    chat["params"] = {"system": "Be brief.", "temperature": 0.2, "seed": None, "num_gpu": 1}
    times = {"created_at": 1700000000, "updated_at": 1700000010, "archived": False}
    return {"id": "x", "user_id": "y", "title": "Old talk", "chat": chat} | times


@pytest.mark.anyio
async def test_open_webuis_export_comes_in(api_client: httpx.AsyncClient) -> None:
    [found] = await brought_in(api_client, to_json([open_webui()]))
    told = without_ids(found)
    assert [(m["parent"], m["role"], m["content"], m["state"]) for m in told["messages"]] == [
        (None, "user", "Hi", None),
        (0, "assistant", "One", "finished"),
        (0, "assistant", "Two", "finished"),
        (2, "user", "Go on", None),
        (3, "assistant", "", "failed"),
        (3, "assistant", "Th", "interrupted"),
    ]
    assert (told["title"], told["model"], told["current"]) == ("Old talk", "m", 5)
    assert (told["system_prompt"], told["parameters"]) == ("Be brief.", {"temperature": 0.2})
    assert told["messages"][2]["reasoning"] == "Hm."
    assert told["messages"][4]["error"]["message"] == "No!"
    assert (told["created_at"], told["updated_at"]) == (
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:30Z",
    )


def test_older_exports_come_in_too() -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    [found] = parse_import(to_json({"title": "T", "messages": said, "timestamp": 1700000000000}))
    assert [message.content for message in found.active_branch()] == ["Hi", "Yes?"]
    assert found.created_at.year == 2023


@pytest.mark.parametrize(
    "change",
    [
        {"u": {"parentId": "d", "role": "user", "content": "In a circle"}},
        {"u": {"parentId": "u", "role": "user", "content": "Its own"}},
        {"u": {"parentId": "lost", "role": "user", "content": "Of nobody"}},
        {"u": None, "v": 7, "a": []},
        {"u": {"role": None, "content": {"x": 1}, "timestamp": "now", "model": 5, "error": 1}},
        {"b": {"role": "assistant", "content": [{"text": 1}], "timestamp": 1e300, "done": "x"}},
        {"x" * 10_000: {"role": "user", "content": None, "timestamp": -1, "parentId": ["u"]}},
    ],
)
def test_what_is_odd_in_open_webuis_does_not_hinder(change: dict[str, Any]) -> None:
    [found] = parse_import(to_json([open_webui(change)]))
    assert Conversation.model_validate(found.model_dump()) == found
    assert found.messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"7",
        b'"text"',
        b"[[]]",
        b"{}",
        b'[{"chat": 1}]',
        b"[" * 100_000,
        b'{"format": "smolchat", "conversations": 1}',
        b'{"format": "smolchat", "version": 2, "conversations": []}',
        b'{"format": "smolchat", "conversations": [{"current": "x"}]}',
        b'{"format": "smolchat", "conversations": [{"created_at": "0001-01-01T00:00:00+14:00"}]}',
        b'{"format": "smolchat", "conversations": [{"messages": [{"role": "wizard"}]}]}',
        b'{"format": "smolchat", "conversations": [{"parameters": {"x": NaN}}]}',
    ],
)
@pytest.mark.anyio
async def test_what_is_no_export_is_refused_whole(
    api_client: httpx.AsyncClient, body: bytes
) -> None:
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert (await api_client.get("/conversations")).json()["data"] == []


@pytest.mark.anyio
async def test_an_error_names_the_place(api_client: httpx.AsyncClient) -> None:
    body = {"format": "smolchat", "conversations": [{"messages": [{"role": "wizard"}]}]}
    response = await api_client.post("/conversations/import", json=body)
    assert response.json()["error"]["param"] == "conversations.0.messages.0.role"


@pytest.mark.anyio
async def test_an_import_may_be_longer_than_other_requests(api_client: httpx.AsyncClient) -> None:
    text = "x" * 900_000
    [found] = await brought_in(
        api_client, to_json([open_webui({"u": {"role": "user", "content": text}})])
    )
    assert found["messages"][0]["content"] == text
    body = to_json([open_webui({"u": {"content": "x" * 1_000_000}})])
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 413


def test_a_long_export_is_read_in_a_moment() -> None:
    chain: dict[str, Any] = {}
    for number in range(20_000):
        said = {"role": "user", "content": "<details " * 20, "parentId": str(number + 1)}
        chain[str(number)] = said
    chain["nested"] = {"role": "assistant", "content": '<details type="reasoning"' * 20_000}
    start = time.monotonic()
    [found] = parse_import(to_json([open_webui(chain)]))
    assert time.monotonic() - start < 10
    assert len(found.messages) > 20_000
