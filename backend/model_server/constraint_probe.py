"""Detects by probe requests how a model server can constrain a model's output."""

import re
from collections.abc import Awaitable, Callable, Set
from enum import Enum, auto
from typing import Any

from backend.errors import InvalidRequestError, ModelServerError, SmolChatError
from backend.json_values import as_dict, as_dict_list
from backend.model_server.answers.json_text import parse_json
from backend.model_server.answers.reasoning import parts_of, separate

# An answer that no model generates by chance.
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
# Without a request for JSON, a model would rather begin with any of the other characters below.
_GRAMMAR_PROBE = {
    "messages": [{"role": "user", "content": 'Answer with this JSON only: {"zq": "abc"}'}],
    "stream": False,
    # A model that reasons first begins with a tag such as <think> or [THINK].
    "grammar": r"""root ::= "{\"zq\": \"w7k\"}" | [<\[] [^{}]{0,16}""",
    "max_tokens": 32,
    "temperature": 0,
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


class Constraint(Enum):
    """What constrains the output of a model."""

    GRAMMAR = auto()  # in llama.cpp's language
    JSON_SCHEMA = auto()
    NONE = auto()


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


async def probe_constraint(
    complete: Complete, model: str, *, is_llama_cpp: bool, is_ollama: bool
) -> Constraint | None:
    """Return the best constraint of the output of `model`, or None if that is unknown."""
    if is_llama_cpp and await _supports_grammar(complete, model):
        return Constraint.GRAMMAR
    no_reasoning: dict[str, Any] = {}
    if is_llama_cpp:
        no_reasoning = _NO_REASONING_LLAMA_CPP
    elif is_ollama:
        no_reasoning = _NO_REASONING_OLLAMA

    async def ask(fields: dict[str, Any]) -> _Outcome:
        return await _ask(complete, _MESSAGES | fields | {"model": model}, fields.keys())

    is_enforced = await _probe_schema(ask, no_reasoning)
    if is_enforced is None:
        return None
    return Constraint.JSON_SCHEMA if is_enforced else Constraint.NONE


async def _supports_grammar(complete: Complete, model: str) -> bool:
    """Return True if a grammar constrains the content, and the model does not reason first.

    A grammar would prevent reasoning, while a JSON Schema allows it.
    """
    try:
        response = parse_json(await complete(_GRAMMAR_PROBE | {"model": model}))
    except SmolChatError:
        return False
    choice = next(iter(as_dict_list(as_dict(response).get("choices"))), {})
    content = as_dict(choice.get("message")).get("content")
    return isinstance(content, str) and parse_json(content) == _PROBE_ANSWER


async def _probe_schema(ask: _Ask, no_reasoning: dict[str, Any]) -> bool | None:
    """Return whether the schema is enforced, or None if that is unknown.

    A refusal may concern another field, and a failure may be accidental: they count only if the
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
    # Some servers return the answer as reasoning.
    answer = _OBJECT_AT_END.search(reasoning)
    is_enforced = answer is not None and parse_json(answer[0]) == _PROBE_ANSWER
    return _Outcome.ENFORCED if is_enforced else _Outcome.UNDECIDED
