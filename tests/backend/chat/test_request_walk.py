"""How few functions a request runs before the model is asked, and how often a chunk is parsed."""

import asyncio
import sys
from pathlib import Path
from types import FrameType

import aiohttp
import httpx
import pytest

from backend.chat.routes import create_chat_completion
from backend.model_server.answers import json_text
from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.paths import ROOT
from tests.support.requests import HELLO, STREAMED
from tests.support.sse import parse_chunks, text_of

pytestmark = pytest.mark.anyio
BACKEND = ROOT / "backend"
MAX_FUNCTIONS = 12


class Walk:
    """Records the backend's functions from the route's endpoint to the request upstream.

    Those of tasks that run beside the request, such as one that looks for files to read, are not
    the request's.
    """

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._is_recording = False
        self._other_tasks = asyncio.all_tasks() - {asyncio.current_task()}

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code is create_chat_completion.__code__:
            self._is_recording = True
        elif code is aiohttp.ClientSession._request.__code__:
            self._is_recording = False
        path = Path(code.co_filename)
        if not self._is_recording or asyncio.current_task() in self._other_tasks:
            return
        if BACKEND in path.parents and not code.co_name.startswith("<"):
            name = f"{path.relative_to(BACKEND)}::{code.co_qualname}"
            if name not in self.functions:
                self.functions.append(name)


@pytest.mark.parametrize("stream", [False, True])
async def test_unstored_chat_runs_few_functions_before_the_model_server_is_asked(
    api_client: httpx.AsyncClient, *, stream: bool
) -> None:
    body = HELLO | {"stream": stream}
    assert (await api_client.post("/chat", json=body)).is_success  # finds the model server
    walk = Walk()
    sys.setprofile(walk)
    try:
        response = await api_client.post("/chat", json=body)
    finally:
        sys.setprofile(None)
    assert response.is_success
    assert 5 < len(walk.functions) <= MAX_FUNCTIONS, "\n".join(walk.functions)


async def test_chunk_is_parsed_once_for_receipt_progress_and_storage(
    api_client: httpx.AsyncClient, model_server: FakeModelServer
) -> None:
    words = [f"word {number} " for number in range(100)]
    model_server.replies.append(stream_reply(words))
    conversation = (await api_client.post("/conversations", json={})).json()["id"]
    options = {"receipt": True, "progress": True, "conversation": conversation}
    parsed = 0

    def count(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal parsed
        parsed += event == "call" and frame.f_code is json_text.parse_json.__code__

    sys.setprofile(count)
    try:
        response = await api_client.post("/chat", json=STREAMED | {"smolchat": options})
    finally:
        sys.setprofile(None)
    assert text_of(parse_chunks(response.text)) == "".join(words)
    begin = 2  # the first event is also checked, and searched for the model's name
    assert 100 <= parsed <= response.text.count("data: {") + begin
