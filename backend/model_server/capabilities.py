"""Detects what a model server can do by probing it: no server reports its capabilities."""

from functools import partial

from backend.model_server.client import ModelServerClient
from backend.model_server.constraint_probe import Complete, Constraint, probe_constraint
from backend.model_server.model_probes import ModelProbes

__all__ = ["Complete", "GrammarSupport"]


class GrammarSupport:
    """Knows what the server takes to constrain the output of each model."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._discovery = model_server.discovery
        self._probes = ModelProbes[Constraint](model_server, timeout_seconds)

    async def constraint(self, model: str, complete: Complete) -> Constraint | None:
        """Return what the server takes to constrain the output of `model`.

        None if that could not be found out now; the next request asks again.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        return await self._probes.result(model, partial(self._probe, model, complete))

    async def _probe(self, model: str, complete: Complete) -> Constraint | None:
        return await probe_constraint(
            complete,
            model,
            is_llama_cpp=self._discovery.is_llama_cpp,
            is_ollama=self._discovery.is_ollama,
        )
