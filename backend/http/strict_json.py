"""FastAPI routes that parse JSON as strictly as the rest of the API."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from backend.errors import SmolChatError
from backend.http.json_route import LARGE_BODY_BYTES, in_turn, parse_body


class _StrictJsonRequest(Request):
    """A request whose JSON may contain no NaN, no excessive nesting and not too many values."""

    async def json(self) -> Any:
        body, state = await self.body(), self.app.state.core
        if len(body) < LARGE_BODY_BYTES:
            return parse_body(body, state.settings.max_json_values)
        return await in_turn(state.large_bodies, parse_body, body, state.settings.max_json_values)


class _StrictJsonRoute(APIRoute):
    # By path: several routes share one.
    allowed_methods: ClassVar[defaultdict[str, set[str]]] = defaultdict(set)

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.allowed_methods[self.path] |= self.methods or set()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Starlette's `path` convertor stops at "\n" and would cut a parameter off there. No valid
        # parameter has control characters, so validation refuses "\r" just the same.
        if "\n" in scope["path"]:
            scope = {**scope, "path": scope["path"].replace("\n", "\r")}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            allowed = ", ".join(sorted(self.allowed_methods[self.path]))
            raise HTTPException(405, headers={"Allow": allowed})
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(_StrictJsonRequest(request.scope, request.receive))
            except HTTPException as error:  # FastAPI's for any error while the body is read
                if isinstance(error.__cause__, SmolChatError | ClientDisconnect):
                    raise error.__cause__ from None
                raise

        return handle


class StrictJsonRouter(APIRouter):
    """A router with strict routes; a 405 lists every method that the path allows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=_StrictJsonRoute, **options)
