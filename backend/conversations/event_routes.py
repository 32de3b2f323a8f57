"""HTTP routes that follow the answers being written in a conversation, and stop them."""

from typing import Annotated

from fastapi import Header, Query, Response
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send

from backend.conversations.event_position import read_position
from backend.conversations.events import ConversationEvents
from backend.conversations.lifespan import ApiProcessesDep
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.responses import EVENT_STREAM_OPENAPI, EventStreamResponse
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

router = StrictJsonRouter(
    prefix="/conversations", tags=["conversations"], responses=DATABASE_RESPONSES
)


class StopReply(BaseModel):
    stopped: Annotated[int, Field(description="How many answers were being written.")]


class _EventsResponse(Response):
    """Events until the client leaves. It sends an empty body first."""

    def __init__(self, events: EventStreamResponse) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_disconnect() -> Message:
            while (message := await receive())["type"] != "http.disconnect":
                pass
            return message

        await self._events(scope, receive_disconnect, send)


@router.get(
    "/{conversation}/events",
    response_class=Response,
    responses=error_responses(404)
    | {
        200: {
            "description": "Chunks of the chat's stream, as server-sent events.",
            "content": EVENT_STREAM_OPENAPI,
        }
    },
)
async def follow_conversation(
    conversation: str,
    state: AppStateDep,
    *,
    wait: Annotated[
        bool, Query(description="Stay connected, and show the next answers begin, too.")
    ] = False,
    last_event_id: Annotated[
        str | None, Header(description="The `id` of the last event: go on behind it.")
    ] = None,
) -> Response:
    """Follow the answers that are being written in a conversation, by any process of the API.

    Events are chunks as in the stream of `POST /chat`; their `id` is the id of the answer's first
    message. An answer begins with `smolchat.conversation`, followed by all of its text so far: if
    that comes again, the text before it is void. It ends with `smolchat.state`: how the answer
    ended. The last event is `[DONE]`, at once if nothing is being written.
    """
    events = ConversationEvents(
        state.database,
        state.answers,
        conversation,
        position=read_position(last_event_id),
        waits=wait,
    )
    response = EventStreamResponse(events.stream(), state.shutting_down, state.settings)
    return _EventsResponse(response)


@router.post("/{conversation}/stop", responses=error_responses(404, 415))
async def stop_answers(conversation: str, processes: ApiProcessesDep) -> StopReply:
    """Stop the answers that are being written in a conversation; what there is of them is stored.

    An answer that another process of the API writes ends within a second or two.
    """
    return StopReply(stopped=await processes.stop(conversation))
