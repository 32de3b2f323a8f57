"""Detects what a model server can do by probing it: no server reports its capabilities."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Set
from enum import Enum, auto
from typing import Any
from weakref import WeakValueDictionary

from cachetools import TTLCache

from backend.errors import InvalidRequestError, ModelServerError, SmolChatError
from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.json_text import parse_json
from backend.model_server.answers.reasoning import parts_of, separate
from backend.model_server.client import ModelServerClient

# A schema that no model matches by chance.
_PROBE_ANSWER = {"zq": "w7k"}
_PROBE_SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "string", "enum": ["w7k"]}},
    "required": ["zq"],
    "additionalProperties": False,
}
_MESSAGES = {"messages": [{"role": "user", "content": "Say hello."}], "stream": False}
_FORMAT = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "probe", "schema": _PROBE_SCHEMA, "strict": True},
    }
}
# Enough for a model that reasons first: with a grammar it ends as soon as it has answered.
_LIMITS = {"max_tokens": 1024, "temperature": 0}
_NO_REASONING_LLAMA_CPP = {"chat_template_kwargs": {"enable_thinking": False}}
_NO_REASONING_OLLAMA = {"reasoning_effort": "none"}
_FORMAT_WORDS = {"response_format", "json_schema"}
_FENCED = re.compile(r"\s*```\w*\s*(.*?)\s*```\s*", re.DOTALL)
_OBJECT_AT_END = re.compile(r"\{[^{}]*\}(?=\s*(?:```)?\s*\Z)")

# Sends one request through the queue and returns the complete response.
Complete = Callable[[dict[str, Any]], Awaitable[bytes]]
_Ask = Callable[[dict[str, Any]], Awaitable["_Outcome"]]


class _Outcome(Enum):
    """What a probe request has shown."""

    ENFORCED = auto()
    IGNORED = auto()
    UNDECIDED = auto()  # an answer that ended too early
    REFUSED = auto()  # as invalid
    FORMAT_REFUSED = auto()
    FAILED = auto()  # with an error of the server itself
    UNKNOWN = auto()  # not answered for another reason: busy, loading, connection lost

    @property
    def is_answer(self) -> bool:
        return self in (_Outcome.ENFORCED, _Outcome.IGNORED, _Outcome.UNDECIDED)


class GrammarSupport:
    """Probes each model once, believes the answer for minutes, and probes again without one."""

    def __init__(self, model_server: ModelServerClient, timeout_seconds: float) -> None:
        self._model_server = model_server
        self._timeout_seconds = timeout_seconds
        # By model, with its digest at that time.
        self._results: TTLCache[str, tuple[bool, str | None]] = model_server.discovery.caches.new()
        # Referenced by waiting requests: if the probing one is cancelled, the next one probes.
        self._probes = WeakValueDictionary[str, _Probe]()

    async def supports_json_schema(self, model: str, complete: Complete) -> bool | None:
        """Return whether the server constrains the output of `model` to a JSON Schema.

        None if that could not be found out now; the next request asks again.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        await self._model_server.discovery.find_base_url()
        key = self._model_server.discovery.model_key(model)
        if (result := self._known_result(model, key)) is not None:
            return result
        probe = self._probes.setdefault(key, _Probe())
        count = probe.count
        async with probe.lock:
            if probe.count == count:  # else it ended while this request waited, and is shared
                probe.result = await self._run(model, key, complete)
                probe.count += 1
            return probe.result

    def _known_result(self, model: str, key: str) -> bool | None:
        """Return the result for a model unless it has been replaced: its digest is another one."""
        result, probed_digest = self._results.get(key, (None, None))
        digest = self._model_server.digest(model)
        if result is None or not digest or digest == probed_digest:
            return result
        if probed_digest:
            return None
        self._results[key] = result, digest  # the probe's response did not name it
        return result

    async def _run(self, model: str, key: str, complete: Complete) -> bool | None:
        server = self._model_server
        generation = server.discovery.caches.generation
        no_reasoning: dict[str, Any] = {}
        if server.discovery.is_llama_cpp:
            no_reasoning = _NO_REASONING_LLAMA_CPP
        elif server.discovery.is_ollama:
            no_reasoning = _NO_REASONING_OLLAMA

        async def ask(fields: dict[str, Any]) -> _Outcome:
            return await _ask(complete, _MESSAGES | fields | {"model": model}, fields.keys())

        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await _probe(ask, no_reasoning)
        except TimeoutError:
            return None
        if result is not None and server.discovery.caches.generation == generation:
            self._results[key] = result, server.digest(model)
        return result


class _Probe:
    """The probes of one model, one at a time; `count` have ended, the last one with `result`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.count = 0
        self.result: bool | None = None


async def _probe(ask: _Ask, no_reasoning: dict[str, Any]) -> bool | None:
    """Return whether the schema is enforced, or None if that remains open.

    A refusal may be meant for another field, and a failure may be chance: they count only if the
    server answers the same request without the schema.
    """
    outcome = await ask(_LIMITS | no_reasoning | _FORMAT)
    if outcome is _Outcome.REFUSED:
        outcome = await ask(_FORMAT)
        if outcome is _Outcome.REFUSED and (await ask({})).is_answer:
            return False
    elif outcome is _Outcome.FAILED and (await ask(_LIMITS)).is_answer:
        outcome = await ask(_LIMITS | _FORMAT)
        if outcome is _Outcome.FAILED:
            return False
    results = {_Outcome.ENFORCED: True, _Outcome.IGNORED: False, _Outcome.FORMAT_REFUSED: False}
    return results.get(outcome)


async def _ask(complete: Complete, body: dict[str, Any], fields: Set[str]) -> _Outcome:
    try:
        return _read_answer(await complete(body))
    except InvalidRequestError as error:
        words = set(re.findall(r"\w+", error.refusal))
        is_of_format = words & _FORMAT_WORDS and not words & (fields - _FORMAT.keys())
        return _Outcome.FORMAT_REFUSED if is_of_format else _Outcome.REFUSED
    except SmolChatError as error:
        # Subclasses are failures for a known reason, which is not the schema.
        is_failure = type(error) is ModelServerError and error.is_reported
        return _Outcome.FAILED if is_failure else _Outcome.UNKNOWN


def _read_answer(response: bytes) -> _Outcome:
    choice = next(iter(as_dict_list(as_dict(parse_json(response)).get("choices"))), {})
    parts = list(parts_of(as_dict(choice.get("message"))))
    text, thoughts = separate("".join(part.text for part in parts if part.kind == "text"))
    reasoning = "".join(part.text for part in parts if part.kind == "reasoning") + thoughts
    fenced = _FENCED.fullmatch(text)
    if parse_json(fenced[1] if fenced else text) == _PROBE_ANSWER:
        return _Outcome.ENFORCED
    is_complete = choice.get("finish_reason") not in ("length", "content_filter")
    if text.strip():
        return _Outcome.IGNORED if is_complete else _Outcome.UNDECIDED
    # Some servers take the answer for reasoning as well.
    answer = _OBJECT_AT_END.search(reasoning)
    is_enforced = answer is not None and parse_json(answer[0]) == _PROBE_ANSWER
    return _Outcome.ENFORCED if is_enforced else _Outcome.UNDECIDED
