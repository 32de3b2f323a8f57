"""Routes that FastAPI handles, but for its JSON, which is read as strictly as everywhere here."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from backend.http.json_route import parse_strict_json


class _StrictJsonRequest(Request):
    """Its JSON is what the rest of the API takes for JSON: no NaN, no endless nesting."""

    async def json(self) -> Any:
        return parse_strict_json(await self.body())


class _StrictJsonRoute(APIRoute):
    allowed_methods: ClassVar[defaultdict[str, set[str]]]  # by path: several routes share one

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.allowed_methods[self.path] |= self.methods or set()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            allowed = ", ".join(sorted(self.allowed_methods[self.path]))
            raise HTTPException(405, headers={"Allow": allowed})
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_StrictJsonRequest(request.scope, request.receive))

        return handle


class StrictJsonRouter(APIRouter):
    """Has strict routes; a 405 of theirs names all that may be done at the path."""

    def __init__(self, **options: Any) -> None:
        known: defaultdict[str, set[str]] = defaultdict(set)

        class Route(_StrictJsonRoute):
            allowed_methods = known

        super().__init__(route_class=Route, **options)
