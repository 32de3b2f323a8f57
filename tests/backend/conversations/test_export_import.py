"""Export and import of conversations."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_core import to_json

from backend.conversations.conversation import Conversation, Message
from backend.conversations.export import MarkdownExport, content_disposition
from backend.conversations.imports.importer import MAX_LISTED
from backend.settings import Settings
from tests.support.conversations import render
from tests.support.fake_model_server import FakeModelServer
from tests.support.imports import open_webui_answer
from tests.support.requests import MODEL_ID
from tests.support.sqlite_file import execute

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
        pinned=True,
        folder="Work/2026 \N{GRINNING FACE}",
        created_at=datetime(2024, 2, 29, tzinfo=UTC),
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
    media_types = {"json": "application/json"}
    media_types |= {name: f"text/{name}; charset=utf-8" for name in ("markdown", "html")}
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


def test_markdown_export_holds_the_active_branch() -> None:
    text = render(MarkdownExport(), sample_conversation("Line\none"))
    assert text == (
        "# Line one\n\n## System\n\nLine\none\n\n## You\n\nLine\none\n\n"
        "## Assistant (Line one)\n\nLine\none\n\n*Failed: Line one*\n"
    )


def test_markdown_export_has_reasoning_and_tool_calls() -> None:
    function = {"name": "run", "arguments": '{"code": "```"}'}
    answer = Message(role="assistant", content="Done.", reasoning="First.\nThen.")
    answer.tool_calls = [{"id": "c", "type": "function", "function": function}]
    assert render(MarkdownExport(), Conversation(title="T", messages=[answer])) == (
        "# T\n\n## Assistant\n\n> *Reasoning*\n> \n> First.\n> Then.\n\n"
        '*Tool call: run*\n\n````json\n{"code": "```"}\n````\n\nDone.\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"7", b'"text"', b"[]", b"[[]]", b"{}", b'[{"chat": 1}]', b"[" * 100_000),
        b'{"format": "smolchat", "conversations": 1}',
        b'{"format": "smolchat", "version": 2, "conversations": []}',
        b'{"format": "smolchat", "conversations": []}',
        b'{"format": "smolchat", "conversations": [{"current": "x"}]}',
        b'{"title": "Empty", "chat": {"history": {"messages": {}}}}',
    ],
)
@pytest.mark.anyio
async def test_import_of_nothing_is_refused_and_stores_nothing(
    api_client: httpx.AsyncClient, body: bytes
) -> None:
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert (await api_client.get("/conversations")).json()["data"] == []


@pytest.mark.anyio
async def test_reply_says_what_was_left_out_and_why(api_client: httpx.AsyncClient) -> None:
    chats = [
        open_webui_answer("One", files=[{"type": "file", "name": "a.pdf"}]),
        {"title": "Empty", "chat": {"history": {"messages": {}}}},
        open_webui_answer("Two"),
    ]
    response = await api_client.post("/conversations/import", content=to_json(chats), headers=JSON)
    result = response.json()
    assert (response.status_code, len(result["data"])) == (201, 2)
    assert result["left_out_count"] == 2
    assert result["left_out"] == [
        {"index": 0, "title": "A chat", "imported": True, "reason": "Not imported: file “a.pdf”."},
        {"index": 1, "title": "Empty", "imported": False, "reason": "It has no messages."},
    ]


@pytest.mark.anyio
async def test_list_of_what_was_left_out_is_bounded(api_client: httpx.AsyncClient) -> None:
    body = to_json(
        [open_webui_answer("One"), *[{"title": "Empty", "chat": {"messages": []}}] * 500]
    )
    result = (await api_client.post("/conversations/import", content=body, headers=JSON)).json()
    assert (len(result["left_out"]), result["left_out_count"]) == (MAX_LISTED, 500)


@pytest.mark.anyio
async def test_error_names_the_invalid_field_and_lists_the_reasons(
    api_client: httpx.AsyncClient,
) -> None:
    body = {"format": "smolchat", "conversations": [{"messages": [{"role": "wizard"}]}]}
    response = await api_client.post("/conversations/import", json=body)
    error = response.json()["error"]
    assert error["param"] == "conversations.0.messages.0.role"
    assert (error["code"], len(error["left_out"])) == ("nothing_to_import", 1)


@pytest.mark.anyio
async def test_database_failure_fails_the_import_as_a_whole(
    api_client: httpx.AsyncClient, tmp_path: Path
) -> None:
    trigger = (
        "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.content = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'disk failure'); END"
    )
    await asyncio.to_thread(execute, tmp_path, trigger)
    body = to_json([open_webui_answer("good"), open_webui_answer("bad")])
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")
    assert (await api_client.get("/conversations")).json()["data"] == []


@pytest.mark.anyio
async def test_import_has_its_own_body_limit(api_client: httpx.AsyncClient) -> None:
    text = "x" * 900_000
    [imported] = await import_file(api_client, to_json(open_webui_answer(text)))
    assert imported["messages"][1]["content"] == text
    body = to_json(open_webui_answer("x" * 1_000_000))
    response = await api_client.post("/conversations/import", content=body, headers=JSON)
    assert response.status_code == 413
