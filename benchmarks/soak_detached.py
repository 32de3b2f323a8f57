"""The part of the soak test with answers whose clients leave, and clients that follow them."""

import asyncio
import json
from collections import Counter
from typing import Any

from benchmarks.http_client import ClientConnection, chat_request, get_request, json_request
from benchmarks.scripted_replies import Script
from benchmarks.soak_resources import Programs, ResourceUsage, get, leaked_resources

_ANSWERS_PER_FOLLOWER = 4
# The clients leave long before the end, and every second follower does, too.
_SCRIPT = Script(tokens=100, gap_ms=100.0)
_LEAVE_SECONDS = 1.0
_TIMEOUT_SECONDS = 120.0


async def soak_detached(
    programs: Programs, answers: int
) -> tuple[list[str], ResourceUsage, ResourceUsage]:
    """Run detached answers and followers; return the faults, and what is held before and after."""
    port, followers = programs.api.port, answers // _ANSWERS_PER_FOLLOWER
    await _ask_and_follow(port, answers, followers)  # opens what the API keeps open
    before = await programs.wait_until_released()
    chats, endings = await _ask_and_follow(port, answers, followers)
    states = await _final_states(port, chats)
    after = await programs.wait_until_idle(before)
    faults = leaked_resources(before, after)
    if b"smolchat_detached 0.0" not in await get(programs.api, "/metrics"):
        faults.append("detached answers are still in progress")
    if states != {"finished": answers}:
        faults.append(f"detached answers ended as {dict(states)}")
    if endings != Counter(left=followers // 2, done=followers - followers // 2):
        faults.append(f"followers ended as {dict(endings)}")
    return faults, before, after


async def _ask_and_follow(
    port: int, answers: int, followers: int
) -> tuple[list[str], Counter[str]]:
    """Return the conversations of all answers, and how the followers ended."""
    asking = [asyncio.create_task(_ask(port)) for _ in range(answers)]
    # Of the two that follow an answer, one leaves.
    following = [_follow(port, asking[n // 2], leaves=n % 2 == 1) for n in range(followers)]
    endings = Counter(await asyncio.gather(*following))
    return await asyncio.gather(*asking), endings


async def _ask(port: int) -> str:
    """Ask for a detached answer, and leave after a while; return its conversation."""
    connection = await ClientConnection.open(port)
    try:
        created = await connection.send(json_request("/conversations", {}))
        conversation = str(json.loads(created.body)["id"])
        options = {"conversation": conversation, "detach": True}
        request = chat_request(_SCRIPT, is_stream=True, smolchat=options)
        await asyncio.wait({asyncio.create_task(connection.send(request))}, timeout=_LEAVE_SECONDS)
        await _wait_until_stored(port, conversation)  # a busy API may not have read the request yet
    finally:
        connection.abort()
    return conversation


async def _wait_until_stored(port: int, conversation: str) -> None:
    connection = await ClientConnection.open(port)
    try:
        deadline = asyncio.get_running_loop().time() + _TIMEOUT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if await _messages(connection, conversation):
                return
            await asyncio.sleep(0.5)
    finally:
        connection.abort()


async def _messages(connection: ClientConnection, conversation: str) -> list[dict[str, Any]]:
    response = await connection.send(get_request(f"/conversations/{conversation}"))
    return list(json.loads(response.body)["messages"])


async def _follow(port: int, asked: asyncio.Task[str], *, leaves: bool) -> str:
    """Follow an answer as soon as it is asked for; return how that ended."""
    conversation = await asked
    connection = await ClientConnection.open(port)
    try:
        request = get_request(f"/conversations/{conversation}/events")
        seconds = _LEAVE_SECONDS if leaves else _TIMEOUT_SECONDS
        async with asyncio.timeout(seconds):
            response = await connection.send(request)
    except TimeoutError:
        return "left" if leaves else "not done"
    finally:
        connection.abort()
    is_whole = (
        response.body.endswith(b"data: [DONE]\n\n") and b'"state":"finished"' in response.body
    )
    return "done" if is_whole else "broken"


async def _final_states(port: int, chats: list[str]) -> Counter[str]:
    """Return how the answers ended."""
    deadline = asyncio.get_running_loop().time() + _TIMEOUT_SECONDS
    states: Counter[str] = Counter()
    connection = await ClientConnection.open(port)
    try:
        for chat in chats:
            state = "writing"
            while state == "writing" and asyncio.get_running_loop().time() < deadline:
                state = (await _messages(connection, chat))[-1]["state"]
                await asyncio.sleep(0.2 if state == "writing" else 0)
            states[state] += 1
    finally:
        connection.abort()
    return states
