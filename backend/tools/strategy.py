"""Find out how a model calls tools."""

from typing import Any

from backend.completions.completion import Completion
from backend.protocol import ExtensionOptions
from backend.state import AppState
from backend.tools.steps import Strategy


async def find_strategy(model: str, state: AppState) -> Strategy:
    """Return how a model calls tools: natively, unless its template is known not to support it.

    Raises:
        ModelServerUnreachableError: Nothing responds at the configured URL.
    """

    async def complete(body: dict[str, Any]) -> bytes:
        completion = Completion(
            body=body,
            options=ExtensionOptions(),
            model_server=state.model_server,
            queue=state.queue,
            metrics=state.metrics,
        )
        return await completion.read()

    supports_tools = await state.tool_support.supports_tools(model, complete)
    return "constrained" if supports_tools is False else "native"
