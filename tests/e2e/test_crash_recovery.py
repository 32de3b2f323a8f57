"""What is stored after the API is killed during a response: `kill -9` on a real process."""

import json
import signal
import sqlite3
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from backend.database.database import FILE_NAME
from tests.support import mcp_program
from tests.support.api_process import api_process
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.tool_replies import call_reply
from tests.support.waiting import wait_until


def _ask(client: httpx.Client, conversation: str, text: str) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "stream": True}
    with suppress(httpx.TransportError):  # the API is killed during the request
        client.post("/chat", json=body | {"smolchat": {"conversation": conversation}})


def test_response_is_stored_up_to_a_second_before_the_kill(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(stream_reply(["First answer"]))
    partial = stream_reply(["Second", " answer"]).chunks[:3]
    model_server.replies.append(Reply(headers=EVENTS, chunks=partial, end="hang"))
    with api_process(model_server, tmp_path) as client:
        path = f"/conversations/{client.post('/conversations', json={}).json()['id']}"
        conversation = path.rpartition("/")[2]
        _ask(client, conversation, "One")
        asking = threading.Thread(target=_ask, args=[client, conversation, "Two"])
        asking.start()
        with httpx.Client(base_url=client.base_url) as second_client:
            wait_until(lambda: "Second answer" in second_client.get(path).text)
            assert second_client.get(path).json()["messages"][3]["state"] == "writing"
    asking.join()
    with api_process(model_server, tmp_path) as client:
        messages = client.get(path).json()["messages"]
    assert [(m["content"], m["state"]) for m in messages] == [
        ("One", None),
        ("First answer", "finished"),
        ("Two", None),
        ("Second answer", "interrupted"),
    ]


def test_message_without_a_response_is_stored(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, end="hang"))
    with api_process(model_server, tmp_path) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "Anyone?"])
        asking.start()
        wait_until(lambda: len(model_server.chat_requests) == 1)
    asking.join()
    with api_process(model_server, tmp_path) as client:
        question, answer = client.get(f"/conversations/{conversation}").json()["messages"]
    assert (question["content"], answer["content"], answer["state"]) == (
        "Anyone?",
        "",
        "interrupted",
    )


def test_sigterm_marks_the_response_as_interrupted(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    partial = stream_reply(["Half"]).chunks[:2]
    model_server.replies.append(Reply(headers=EVENTS, chunks=partial, end="hang"))
    with api_process(model_server, tmp_path, end=signal.SIGTERM) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "All of it?"])
        asking.start()
        wait_until(lambda: len(model_server.chat_requests) == 1)
        wait_until(lambda: "Half" in client.get(f"/conversations/{conversation}").text)
    asking.join()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    answer = "SELECT content, state FROM messages WHERE role = 'assistant'"
    assert database.execute(answer).fetchall() == [("Half", "interrupted")]
    database.close()


def test_step_of_a_killed_api_is_interrupted(model_server: FakeModelServer, tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    command = {"command": sys.executable, "args": [mcp_program.__file__]}
    config.write_text(json.dumps({"mcpServers": {"program": command}}))
    settings = {"SMOLCHAT_MCP_CONFIG": str(config), "SMOLCHAT_MCP_STDIO": "true"}
    model_server.replies.append(call_reply(("program__wait", {})))
    with api_process(model_server, tmp_path, settings=settings) as client:
        path = f"/conversations/{client.post('/conversations', json={}).json()['id']}"
        wait_until(lambda: "program__wait" in client.get("/tools").text)
        client.patch("/tools/program__wait", json={"approval": "always"})
        smolchat = {"conversation": path.rpartition("/")[2], "tools": ["program__wait"]}
        body = {"messages": [{"role": "user", "content": "Wait."}], "smolchat": smolchat}
        asking = threading.Thread(target=_post, args=[client.base_url, body])
        asking.start()
        wait_until(lambda: '"running"' in client.get(path).text)
    asking.join()
    with api_process(model_server, tmp_path) as client:
        question, calls, step = client.get(path).json()["messages"]
    assert [m["role"] for m in (question, calls, step)] == ["user", "assistant", "tool"]
    assert (step["state"], step["step"]["state"]) == ("interrupted", "interrupted")


def _post(url: httpx.URL, body: dict[str, Any]) -> None:
    with suppress(httpx.TransportError), httpx.Client(base_url=url) as client:
        client.post("/chat", json=body, timeout=30)
