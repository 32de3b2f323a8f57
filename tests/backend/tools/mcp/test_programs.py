"""Programs that are MCP servers: what they get, what they may send, and how they end."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from typing import Any

import psutil
import pytest

from backend.tools.mcp.config import ServerConfig
from backend.tools.tool import ToolError
from tests.support.mcp_servers import QUICK, OpenServer, call, wait_for, wait_settled
from tests.support.paths import ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PROGRAM = str(ROOT / "tests" / "support" / "mcp_program.py")


def program(*args: str, **fields: Any) -> ServerConfig:
    return ServerConfig(
        **{"name": "demo", "command": sys.executable, "args": (PROGRAM, *args)} | fields
    )


async def wait_ended(*pids: int) -> None:
    await wait_for(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_program_gets_what_its_configuration_names_and_no_secrets(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLCHAT_API_KEY", "secret")
    async with open_server(program(env={"COLOR": "red"})) as server:
        await wait_settled(server)
        environment = json.loads((await call(server, "environment")).text)
    assert environment["COLOR"] == "red"
    assert environment["PATH"] == os.environ["PATH"]
    assert not {"SMOLCHAT_API_KEY", "DMR_API_KEY", "MODEL_ID"} & environment.keys()


@pytest.mark.parametrize("behavior", ["", "stubborn"])
async def test_program_and_what_it_started_end_with_the_connection(
    open_server: OpenServer, behavior: str
) -> None:
    async with open_server(program(behavior)) as server:
        await wait_settled(server)
        pids = [int(pid) for pid in (await call(server, "start")).text.split()]
        assert all(map(is_running, pids))
    await wait_ended(*pids)


async def test_program_ends_if_its_task_is_cancelled(open_server: OpenServer) -> None:
    async with open_server(program("silent")):
        await wait_for(lambda: any(children()))
        pids = [child.pid for child in children()]
    await wait_ended(*pids)


def children() -> list[psutil.Process]:
    processes = psutil.Process().children(recursive=True)
    return [process for process in processes if PROGRAM in process.cmdline()]


async def test_program_that_ends_is_started_again(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server(program()) as server:
        await wait_settled(server)
        with pytest.raises(ToolError, match="was lost"):
            await call(server, "exit")
        await wait_for(lambda: server.state == "connected" and bool(server.tools))
        await wait_for(
            lambda: "ended with exit status 3. Its error output: its last words" in caplog.text
        )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (program("fail"), "Its program ended with exit status 1."),
        (program(command="/no/such/program"), "Its program is not found."),
        (program(cwd="/no/such/folder"), "Its program is not found."),
        (program(command="/"), "Its program cannot be started: Permission denied."),
        (program(env={"A=B": "c"}), "Its program cannot be started: it has an invalid argument."),
    ],
)
async def test_program_that_does_not_start_says_why(
    open_server: OpenServer, config: ServerConfig, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server(config) as server:
        await wait_for(lambda: server.state == "failed")
        assert server.error is not None
        assert server.error.startswith(message)
    assert "\x1b" not in caplog.text


async def test_silent_program_is_given_up(open_server: OpenServer) -> None:
    async with open_server(program("silent"), replace(QUICK, connect_seconds=3)) as server:
        await wait_for(lambda: server.state == "failed")
        assert server.error == "It did not respond within 3 s."


async def test_ten_megabytes_on_one_line_end_the_program(open_server: OpenServer) -> None:
    async with open_server(program()) as server:
        await wait_settled(server)
        with pytest.raises(ToolError, match="was lost"):
            await call(server, "huge", size=10_000_000)
        await wait_for(lambda: server.state == "connected" and bool(server.tools))
        assert (await call(server, "huge", size=10)).text == "x" * 10


async def test_calls_to_a_program_run_side_by_side(open_server: OpenServer) -> None:
    async with open_server(program()) as server:
        await wait_settled(server)
        sizes = range(1, 20)
        results = await asyncio.gather(*(call(server, "huge", size=size) for size in sizes))
        assert [len(result.text) for result in results] == list(sizes)
