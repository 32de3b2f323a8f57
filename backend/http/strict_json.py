"""FastAPI routes that parse JSON as strictly as the rest of the API."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from backend.http.json_route import parse_strict_json


class _StrictJsonRequest(Request):
    """A request whose JSON may contain no NaN and no excessive nesting."""

    async def json(self) -> Any:
        return parse_strict_json(await self.body())


class _StrictJsonRoute(APIRoute):
    allowed_methods: ClassVar[defaultdict[str, set[str]]]  # by path: several routes share one

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
            return await handler(_StrictJsonRequest(request.scope, request.receive))

        return handle


class StrictJsonRouter(APIRouter):
    """A router with strict routes; a 405 lists every method that the path allows."""

    def __init__(self, **options: Any) -> None:
        methods_by_path: defaultdict[str, set[str]] = defaultdict(set)

        class Route(_StrictJsonRoute):
            allowed_methods = methods_by_path

        super().__init__(route_class=Route, **options)
