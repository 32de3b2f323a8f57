"""What a model server can do, found by trying it: nothing it says of itself tells."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from pydantic_core import from_json

from backend.errors import InvalidRequestError
from backend.model_server.client import ModelServerClient

# A form that no model fills by itself.
_SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "string", "enum": ["w7k"]}},
    "required": ["zq"],
    "additionalProperties": False,
}
_QUESTION: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 24,
    "temperature": 0,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "probe", "schema": _SCHEMA, "strict": True},
    },
}
MAX_KNOWN = 1000  # a client may ask for any name

# Sends one request through the queue and returns the whole response.
Complete = Callable[[dict[str, Any]], Awaitable[bytes]]
_Key = tuple[str, str]


class GrammarSupport:
    """Asks each model once; a server at another address is asked anew."""

    def __init__(self, upstream: ModelServerClient) -> None:
        self._upstream = upstream
        self._grammar: dict[_Key, bool] = {}
        # Kept by those who wait, who go on in the place of one who leaves.
        self._locks = WeakValueDictionary[_Key, asyncio.Lock]()

    async def supports_json_schema(self, model: str, complete: Complete) -> bool:
        """Tell whether the server holds `model` to a JSON Schema.

        Raises:
            SmolChatError: it cannot be asked now.
        """
        key = (await self._upstream.base_url(), model)
        if key in self._grammar:
            return self._grammar[key]
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:  # all who want to know of this model wait for one answer
            if key not in self._grammar:
                found = await _probe(model, complete)
                if len(self._grammar) >= MAX_KNOWN:
                    self._grammar.clear()
                self._grammar[key] = found
            return self._grammar[key]


async def _probe(model: str, complete: Complete) -> bool:
    try:
        answer = await complete(_QUESTION | {"model": model})
    except InvalidRequestError:
        return False  # it does not know the field
    return bool(_response_json(answer) == {"zq": "w7k"})


def _response_json(answer: bytes) -> Any:
    try:
        return from_json(from_json(answer)["choices"][0]["message"]["content"])
    except (LookupError, TypeError, ValueError):
        return None
