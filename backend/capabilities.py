"""What a model server can do, found by trying it: nothing it says of itself tells."""

import asyncio
import time
from typing import Any

from pydantic_core import from_json

from backend.errors import InvalidRequestError, ModelLoadingError
from backend.upstream import LOADING_POLL_SECONDS, Upstream

# A form that no model fills by itself.
_SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "string", "enum": ["w7k"]}},
    "required": ["zq"],
    "additionalProperties": False,
}
_QUESTION = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 24,
    "temperature": 0,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "probe", "schema": _SCHEMA, "strict": True},
    },
}


class Capabilities:
    """Asks each model once; a server at another address is asked anew."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._grammar: dict[tuple[str, str], bool] = {}
        self._lock = asyncio.Lock()

    async def has_grammar(self, model: str) -> bool:
        """Tell whether the server holds `model` to a JSON Schema.

        Raises:
            SmolChatError: it cannot be asked now.
        """
        key = (await self._upstream.address(), model)
        if key not in self._grammar:
            async with self._lock:  # all who want to know wait for one answer
                if key not in self._grammar:
                    if len(self._grammar) >= 1000:  # a client may ask for any name
                        self._grammar.clear()
                    self._grammar[key] = await self._try(model)
        return self._grammar[key]

    async def _try(self, model: str) -> bool:
        if loading := await self._upstream.loading(model):
            await asyncio.shield(loading)
        until = time.monotonic() + self._upstream.patience_seconds
        while True:
            try:
                _, answer = await self._upstream.complete(_QUESTION | {"model": model})
            except InvalidRequestError:
                return False  # it does not know the field
            except ModelLoadingError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(LOADING_POLL_SECONDS)
            else:
                return bool(_said(answer) == {"zq": "w7k"})


def _said(answer: dict[str, Any]) -> Any:
    try:
        return from_json(answer["choices"][0]["message"]["content"])
    except (LookupError, TypeError, ValueError):
        return None
