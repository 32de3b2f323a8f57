"""Detects whether the chat template of a model supports tools.

If it does not, llama.cpp silently ignores `tools` and `tool_choice`. Its server reports this at
`/props`; for others, the lengths of a prompt with and without a tool are compared.
"""

from functools import partial

from backend.errors import InvalidRequestError, ModelServerError, SmolChatError
from backend.json_values import as_count, as_dict
from backend.model_server.answers.json_text import parse_json
from backend.model_server.capabilities import Complete
from backend.model_server.client import ModelServerClient
from backend.model_server.model_probes import ModelProbes

_MESSAGES = {"messages": [{"role": "user", "content": "Say hello."}], "stream": False}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class ToolSupport:
    """Knows whether the template of each model supports tools."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._discovery = model_server.discovery
        self._probes = ModelProbes[bool](model_server, timeout_seconds)

    async def supports_tools(self, model: str, complete: Complete) -> bool | None:
        """Return whether the template of `model` supports tools, or None if that is unknown.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        return await self._probes.result(model, partial(self._probe, model, complete))

    async def _probe(self, model: str, complete: Complete) -> bool | None:
        base_url = await self._discovery.find_base_url()
        reported = await self._discovery.management.supports_tools(base_url)
        return await _compare_prompts(model, complete) if reported is None else reported


async def _compare_prompts(model: str, complete: Complete) -> bool | None:
    """Return whether a tool makes the prompt longer, or False if the server refuses it."""
    body = _MESSAGES | {"model": model, "max_tokens": 1}
    try:
        plain = _prompt_tokens(await complete(body))
        try:
            with_tool = _prompt_tokens(await complete(body | {"tools": [_TOOL]}))
        except (InvalidRequestError, ModelServerError) as error:
            is_refusal = error.status == 400 or getattr(error, "is_reported", False)
            return False if is_refusal else None
    except SmolChatError:
        return None
    return None if plain is None or with_tool is None else with_tool > plain


def _prompt_tokens(response: bytes) -> int | None:
    return as_count(as_dict(as_dict(parse_json(response)).get("usage")).get("prompt_tokens"))
