"""The AG-UI route: chat with tools and stored threads for any AG-UI client."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter

from backend.agui.chat_request import thread_request
from backend.agui.events import RunEvents, run_error, run_started
from backend.agui.protocol import RunAgentInput
from backend.chat.thread import Threads, ThreadsDep
from backend.errors import InvalidResumeError, SmolChatError
from backend.http.error_handlers import COMMON_RESPONSES, DEFAULT_RESPONSE, error_responses
from backend.http.json_route import FastJsonRoute
from backend.http.responses import EVENT_STREAM_OPENAPI, EventStreamResponse
from backend.state import AppStateDep

router = APIRouter(route_class=FastJsonRoute, tags=["ag-ui"])

_EVENTS: dict[str, Any] = {
    "description": "AG-UI's events. A run that fails ends with `RUN_ERROR`.",
    "content": EVENT_STREAM_OPENAPI,
}
_RESPONSES = (
    {200: _EVENTS} | COMMON_RESPONSES | error_responses(404, 415, 422, 429, 503) | DEFAULT_RESPONSE
)


class RunResponse(EventStreamResponse):
    """A stream of AG-UI's events."""

    def _error_event(self, error: SmolChatError) -> bytes:
        return run_error(error)


@router.post("/ag-ui", responses=_RESPONSES, response_model=None)
async def run_agent(run: RunAgentInput, state: AppStateDep, threads: ThreadsDep) -> RunResponse:
    """Run the model as an AG-UI agent.

    The thread is a conversation and is stored. The functions in `tools` are the client's: their
    calls end the run. Tools of `GET /tools` are offered if `forwardedProps.smolchat.tools` names
    them, or is `all`; a call that needs approval ends the run with an interrupt.
    """
    return RunResponse(await _start(run, threads), state.shutting_down, state.settings)


async def _start(run: RunAgentInput, threads: Threads) -> AsyncGenerator[bytes]:
    """Return the events of a run. Only a request that is refused has a status of its own."""
    try:
        request = thread_request(run)
        turn = await threads.start_turn(request)
    except SmolChatError as error:
        if error.status < 500 and not isinstance(error, InvalidResumeError):
            raise
        return _fail(run, error)
    options = request.chat.smolchat
    events = RunEvents(run, turn, has_receipt=options is not None and options.receipt).stream()
    return turn.detach(events) if request.detach else events


async def _fail(run: RunAgentInput, error: SmolChatError) -> AsyncGenerator[bytes]:
    yield run_started(run)
    raise error
