"""A request is a short walk: how many functions of the backend run before the model is asked."""

import sys
from pathlib import Path
from types import FrameType

import aiohttp
import httpx
import pytest

from backend.chat.routes import create_chat_completion
from tests.support.paths import ROOT
from tests.support.requests import HELLO

pytestmark = pytest.mark.anyio
BACKEND = ROOT / "backend"
MAX_FUNCTIONS = 12


class Walk:
    """Records the backend's functions from the route's endpoint to the request upstream."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._is_recording = False

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code is create_chat_completion.__code__:
            self._is_recording = True
        elif code is aiohttp.ClientSession._request.__code__:
            self._is_recording = False
        path = Path(code.co_filename)
        if self._is_recording and BACKEND in path.parents and not code.co_name.startswith("<"):
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
