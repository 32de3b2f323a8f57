"""HEAD requests, answered by every GET route (RFC 9110, 9.3.2)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def respond_to_head(app: ASGIApp) -> ASGIApp:
    """Return an app that answers HEAD as `app` answers GET, without the body."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        is_complete = False

        async def send_head(message: Message) -> None:
            nonlocal is_complete
            if message["type"] == "http.response.start":
                await send(message)
            if not is_complete:
                is_complete = True
                await send({"type": "http.response.body"})  # `receive` reports the end from now on

        get_scope = {**scope, "method": "GET"}
        try:
            await app(get_scope, receive, send_head)
        finally:
            scope["route"] = get_scope.get("route")

    return respond
