"""Export and import of conversations."""

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
def settings(model_server: FakeModelServer, data_dir: Path) -> Settings:
    return Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        data_dir=data_dir,
        max_body_bytes=1000,
        max_import_bytes=1_000_000,
    )


def sample_conversation(text: str = "Hello") -> Conversation:
    question = Message(role="user", content=text)
    first = Message(role="assistant", parent=question.id, content="First")
    first.receipt = {"total_ms": 1.5}
    second = Message(role="assistant", parent=question.id, model=text, content=text, state="failed")
    second.error, second.logprobs = {"message": text}, [{"token": "x"}]
    return Conversation(
        title=text,
        system_prompt=text,
        messages=[question, first, second],
        current=second.id,
        sent_from=question.id,
    )


def without_ids(conversation: dict[str, Any]) -> dict[str, Any]:
    """Replace message ids with positions, so that conversations can be compared."""
    positions = {message["id"]: number for number, message in enumerate(conversation["messages"])}
    messages = [
        message | {"id": positions[message["id"]], "parent": positions.get(message["parent"])}
        for message in conversation["messages"]
    ]
    references = {name: positions.get(conversation[name]) for name in ("current", "sent_from")}
    return conversation | {"id": None, "messages": messages} | references


async def import_file(api: httpx.AsyncClient, body: bytes) -> list[dict[str, Any]]:
    response = await api.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 201, response.text
    summaries = response.json()["data"]
    return [(await api.get(f"/conversations/{summary['id']}")).json() for summary in summaries]


@pytest.mark.anyio
async def test_json_export_can_be_imported_without_loss(api_client: httpx.AsyncClient) -> None:
    originals = [sample_conversation(), sample_conversation(HOSTILE), Conversation()]
    originals_json = [conversation.model_dump(mode="json") for conversation in originals]
    body = to_json({"format": "smolchat", "conversations": originals_json})
    imported = await import_file(api_client, body)
    assert [without_ids(conversation) for conversation in imported] == [
        without_ids(conversation) for conversation in originals_json
    ]
    response = await api_client.get(f"/conversations/{imported[0]['id']}/export")
    assert response.json()["conversations"] == [imported[0]]
    export = await api_client.get("/conversations/export")
    exported = {conversation["id"]: conversation for conversation in export.json()["conversations"]}
    assert exported == {conversation["id"]: conversation for conversation in imported}
    assert len(await import_file(api_client, export.content)) == 3


@pytest.mark.anyio
async def test_export_is_a_download_of_its_media_type(api_client: httpx.AsyncClient) -> None:
    body = {"format": "smolchat", "conversations": [sample_conversation().model_dump(mode="json")]}
    [imported] = await import_file(api_client, to_json(body))
    path = f"/conversations/{imported['id']}/export"
    media_types = {"json": "application/json", "markdown": "text/markdown; charset=utf-8"}
    for file_format, media_type in media_types.items():
        response = await api_client.get(path, params={"format": file_format})
        assert response.headers["content-type"] == media_type
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
def test_file_name_has_no_special_characters(title: str, name: str) -> None:
    assert content_disposition(title, "json") == f"attachment; filename*=UTF-8''{name}"


def test_html_export_is_escaped_and_loads_nothing() -> None:
    page = to_html(sample_conversation(HOSTILE))
    body = page.partition("<body>")[2]
    assert set(re.findall(r"<[^>]*>", body)) == {
        *("<h1>", "</h1>", "<h2>", "</h2>", "<pre>", "</pre>", "<p>", "</p>", "</body>", "</html>")
    }
    assert "default-src 'none'" in page.partition("<title>")[0]
    assert "First" not in page
    assert "{0}" in body


def test_markdown_export_holds_the_active_branch() -> None:
    text = to_markdown(sample_conversation("Line\none"))
    assert text == (
        "# Line one\n\n## System\n\nLine\none\n\n## You\n\nLine\none\n\n"
        "## Assistant (Line one)\n\nLine\none\n\n*Failed: Line one*\n"
    )


def open_webui_chat(*changes: dict[str, Any]) -> dict[str, Any]:
    """Return a chat as Open WebUI exports it, with branches, a failure and an unfinished answer."""
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
async def test_open_webui_export_is_imported_with_its_branches(
    api_client: httpx.AsyncClient,
) -> None:
    [imported] = await import_file(api_client, to_json([open_webui_chat()]))
    chat = without_ids(imported)
    assert [(m["parent"], m["role"], m["content"], m["state"]) for m in chat["messages"]] == [
        (None, "user", "Hi", None),
        (0, "assistant", "One", "finished"),
        (0, "assistant", "Two", "finished"),
        (2, "user", "Go on", None),
        (3, "assistant", "", "failed"),
        (3, "assistant", "Th", "interrupted"),
    ]
    assert (chat["title"], chat["model"], chat["current"]) == ("Old talk", "m", 5)
    assert (chat["system_prompt"], chat["parameters"]) == ("Be brief.", {"temperature": 0.2})
    assert chat["messages"][2]["reasoning"] == "Hm."
    assert chat["messages"][4]["error"]["message"] == "No!"
    assert (chat["created_at"], chat["updated_at"]) == (
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:30Z",
    )


def test_open_webui_message_list_is_imported_as_one_branch() -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    chat = {"title": "T", "messages": messages, "timestamp": 1700000000000}
    [conversation] = parse_import(to_json(chat))
    assert [message.content for message in conversation.active_branch()] == ["Hi", "Yes?"]
    assert conversation.created_at.year == 2023


@pytest.mark.parametrize(
    "change",
    [
        {"u": {"parentId": "d", "role": "user", "content": "Cycle"}},
        {"u": {"parentId": "u", "role": "user", "content": "Own parent"}},
        {"u": {"parentId": "missing", "role": "user", "content": "Missing parent"}},
        {"u": None, "v": 7, "a": []},
        {"u": {"role": None, "content": {"x": 1}, "timestamp": "now", "model": 5, "error": 1}},
        {"b": {"role": "assistant", "content": [{"text": 1}], "timestamp": 1e300, "done": "x"}},
        {"x" * 10_000: {"role": "user", "content": None, "timestamp": -1, "parentId": ["u"]}},
    ],
)
def test_invalid_fields_in_an_open_webui_export_are_skipped(change: dict[str, Any]) -> None:
    [conversation] = parse_import(to_json([open_webui_chat(change)]))
    assert Conversation.model_validate(conversation.model_dump()) == conversation
    assert conversation.messages


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
async def test_invalid_file_is_refused_as_a_whole(
    api_client: httpx.AsyncClient, body: bytes
) -> None:
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert (await api_client.get("/conversations")).json()["data"] == []


@pytest.mark.anyio
async def test_import_error_names_the_invalid_field(api_client: httpx.AsyncClient) -> None:
    body = {"format": "smolchat", "conversations": [{"messages": [{"role": "wizard"}]}]}
    response = await api_client.post("/conversations/import", json=body)
    assert response.json()["error"]["param"] == "conversations.0.messages.0.role"


@pytest.mark.anyio
async def test_import_has_its_own_body_limit(api_client: httpx.AsyncClient) -> None:
    text = "x" * 900_000
    chat = open_webui_chat({"u": {"role": "user", "content": text}})
    [imported] = await import_file(api_client, to_json([chat]))
    assert imported["messages"][0]["content"] == text
    body = to_json([open_webui_chat({"u": {"content": "x" * 1_000_000}})])
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 413


def test_long_branch_is_parsed_in_linear_time() -> None:
    messages: dict[str, Any] = {
        str(number): {
            "role": "user",
            "content": "<details " * 20,
            "parentId": str(number + 1),
        }
        for number in range(20_000)
    }
    messages["nested"] = {"role": "assistant", "content": '<details type="reasoning"' * 20_000}
    started_at = time.monotonic()
    [conversation] = parse_import(to_json([open_webui_chat(messages)]))
    assert time.monotonic() - started_at < 10
    assert len(conversation.messages) > 20_000
