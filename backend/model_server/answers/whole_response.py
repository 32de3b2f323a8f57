"""Read a whole completion, in whatever form a model server sends it."""

from dataclasses import dataclass
from typing import Any

from backend.json_values import as_count, as_dict, as_dict_list, as_index
from backend.model_server.answers.event_normalizer import has_tool_calls, normalize_response
from backend.model_server.answers.json_text import dump_json, parse_json, parse_strict
from backend.model_server.answers.parsed_stream import (
    empty_response,
    invalid_response,
    is_error,
    parse_digest,
)
from backend.model_server.answers.response_shape import from_chunks, pop_message
from backend.model_server.answers.sse import SseRelay, model_replacement, parse_events
from backend.model_server.error_mapping.mapping import log_and_map_error
from backend.model_server.response_limits import ResponseLimits


@dataclass(frozen=True)
class WholeResponse:
    """A completion as JSON and parsed, with the model id that the client asked for."""

    raw: bytes
    completion: dict[str, Any]
    digest: str | None  # of the model, if the server reports it


def read_whole_response(
    raw: bytes, model: str, choices: int, limits: ResponseLimits
) -> WholeResponse:
    """Read the body of a response to a request for `choices` that were not to be streamed.

    Raises:
        SmolChatError: It is an error, or not a completion. It is not logged then: it may be all
            that the model wrote.
    """
    is_broken = False
    try:
        completion = parse_strict(raw)
    except ValueError:
        completion, is_broken = parse_json(raw), True
    if isinstance(completion, list) and len(completion) == 1:  # as Gemini sends errors
        completion = completion[0]
    if not isinstance(completion, dict):
        return _read_stream(raw, model, choices, limits)
    if is_error(completion):
        raise log_and_map_error(None, raw)
    if not as_dict_list(completion.get("choices")):
        raise invalid_response()
    name = completion.get("model")
    replacement = model_replacement(name, raw, model)
    completion["model"] = model
    is_changed = _complete_choices(completion) or replacement is None
    if is_broken or has_tool_calls(raw):
        completion, is_changed = normalize_response(completion), True
    if is_changed:
        raw = dump_json(completion)
    elif replacement:
        raw = raw.replace(*replacement, 1)
    return WholeResponse(raw, completion, parse_digest(name))


def _read_stream(raw: bytes, model: str, choices: int, limits: ResponseLimits) -> WholeResponse:
    """Read a response that is a stream although none was asked for."""
    if not raw.strip():
        raise empty_response()
    relay = SseRelay(model, choices, includes_usage=True, limits=limits)
    chunks = relay.feed(raw) + relay.close()
    completion = from_chunks(parse_events(chunks))
    return WholeResponse(dump_json(completion), completion, relay.digest)


def _complete_choices(completion: dict[str, Any]) -> bool:
    """Give each choice an index, a message and a finish reason; return True if one had none."""
    choices = as_dict_list(completion["choices"])
    is_changed = len(choices) < len(completion["choices"])
    completion["choices"] = choices
    for position, choice in enumerate(choices):
        is_complete = as_count(choice.get("index")) is not None and choice.get("finish_reason")
        if is_complete and isinstance(choice.get("message"), dict):
            continue
        is_changed = True
        index, delta = as_index(choice.get("index")), as_dict(choice.pop("delta", None))
        choice["index"] = position if index is None else index
        choice["message"] = pop_message(choice) or delta or {"role": "assistant", "content": None}
        choice["finish_reason"] = choice.get("finish_reason") or "stop"
    return is_changed
