"""AG-UI's own client, npm's `@ag-ui/client`, unmodified, against the API.

It rejects events that are not as the protocol says, or that come in another order.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.agui import QUESTION, TOOL
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.tool_replies import ANSWER, RESULT, SUM, call_reply

Json = dict[str, Any]
Run = Callable[..., list[Json]]

FILES = Path(__file__).with_name("agui")
INSTALL_SECONDS, RUN_SECONDS = 90, 30
FIRST: Json = {"add": [QUESTION], "forwardedProps": {"smolchat": {"tools": ["calculator"]}}}
AGAIN: Json = {"forwardedProps": FIRST["forwardedProps"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client, which npm installs from its cache or its registry."""
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        pytest.skip(f"{missing[0]} is not installed, which AG-UI's client needs")
    folder = tmp_path_factory.mktemp("agui")
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        result = subprocess.run(
            ["npm", "ci", *options],  # noqa: S607  # wherever npm is
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install @ag-ui/client within {INSTALL_SECONDS} s")
    if result.returncode:
        pytest.skip(f"npm could not install @ag-ui/client: {result.stderr.strip()[-300:]}")
    return folder


@pytest.fixture
def run(folder: Path, api_url: str) -> Run:
    """Return a function that runs the client in one thread, one run after the other."""

    def run(*runs: Json) -> list[Json]:
        request = {"url": f"{api_url}/ag-ui", "threadId": "thread-1", "runs": runs}
        result = subprocess.run(
            ["node", "client.mjs"],  # noqa: S607  # wherever Node is
            cwd=folder,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return list(json.loads(result.stdout))

    return run


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def stored_ids(client: httpx.Client) -> list[str]:
    return [m["id"] for m in client.get("/conversations/thread-1").json()["messages"]]


def ids_of(output: Json) -> list[str]:
    return [message["id"] for message in output["messages"]]


def test_client_has_the_messages_that_are_stored(
    run: Run, client: httpx.Client, model_server: FakeModelServer
) -> None:
    chunks = [
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "It is 96."}),
        chunk({}, "stop"),
    ]
    reasoned = Reply(headers=EVENTS, chunks=[*chunks, b"data: [DONE]\n\n"])
    model_server.replies += [call_reply(SUM, text="Let me see."), ANSWER, reasoned]
    question = {"id": "question-2", "role": "user", "content": "And 12 * 8?"}
    first, second = run(FIRST, AGAIN | {"add": [question]})
    assert (first["error"], first["customEvents"]) == (None, ["smolchat.receipt"])
    roles = [message["role"] for message in first["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"]
    assert first["messages"][0] == QUESTION
    assert first["messages"][1]["content"] == "Let me see."
    assert first["messages"][2]["content"] == RESULT
    assert first["messages"][3]["content"] == "It is 84."
    [thought] = [message for message in second["messages"] if message["role"] == "reasoning"]
    assert thought["content"] == "Hm."
    assert [each for each in ids_of(second) if each != thought["id"]] == stored_ids(client)


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        ({"approved": True}, RESULT),
        ({"approved": True, "editedArgs": {"expression": "1 + 1"}}, "1 + 1 = 2"),
        ({"approved": False}, "The user did not allow this call."),
    ],
)
def test_client_resumes_after_an_interrupt(
    payload: Json, result: str, run: Run, client: httpx.Client, model_server: FakeModelServer
) -> None:
    client.patch("/tools/calculator", json={"approval": "ask"}).raise_for_status()
    model_server.replies += [call_reply(SUM), ANSWER]
    answers = {"status": "resolved", "payload": payload}
    first, second = run(FIRST, AGAIN | {"answers": answers})
    assert [each["reason"] for each in first["interrupts"]] == ["tool_call"]
    assert (second["error"], second["interrupts"]) == (None, [])
    assert [message["content"] for message in second["messages"][2:]] == [result, "It is 84."]
    assert ids_of(second) == stored_ids(client)


def test_client_runs_its_own_tools(
    run: Run, client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(("get_weather", {"city": "Paris"})), ANSWER]
    tools = {"tools": [TOOL]}
    first, second = run(
        tools | {"add": [QUESTION], "results": {"get_weather": "18 degrees"}}, tools
    )
    assert first["pendingToolCallIds"] == ["call_get_weather_0"]
    assert second["pendingToolCallIds"] == []
    assert second["messages"][-1]["content"] == "It is 84."
    assert model_server.chat_requests[-1].body["messages"][-1]["content"] == "18 degrees"
    assert ids_of(second) == stored_ids(client)


def test_client_gets_the_error_of_a_run_and_can_run_again(
    run: Run, model_server: FakeModelServer
) -> None:
    error = b'{"error": {"message": "out of memory", "code": 500}}'
    model_server.replies += [Reply(500, chunks=[error]), ANSWER]
    first, second = run(FIRST, AGAIN)
    assert (first["error"], second["error"]) == ("model_server_failed", None)
    assert second["text"] == "It is 84."


def test_client_that_aborts_cancels_the_generation(run: Run, model_server: FakeModelServer) -> None:
    slow = Reply(headers=EVENTS, chunks=[chunk({"content": "It"})], end="hang")
    model_server.replies += [slow]
    [output] = run(FIRST | {"abortAfterText": True})
    assert output["text"] == "It"
    assert model_server.chat_requests[-1].disconnected.wait(1)
