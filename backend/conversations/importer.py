"""Parse imported conversations: SmolChat's own export files and those of Open WebUI.

A SmolChat file must be valid as a whole. Open WebUI's format has changed over the years, so
whatever is recognized in its files is imported and everything else is skipped.
"""

import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from backend.conversations.conversation import Conversation, Message
from backend.conversations.export import Export
from backend.database.types import new_id, utc_now
from backend.errors import InvalidRequestError
from backend.http.json_route import validate_request
from backend.json_values import as_dict, as_dict_list, as_str, content_text
from backend.protocol import CompletionRequest

_ROLES = {"system", "user", "assistant", "tool"}
_REASONING = re.compile(
    r'\s*<details type="reasoning"[^>]*>\s*<summary>[^<]*</summary>(.*?)</details>\s*', re.DOTALL
)
# Larger numbers are milliseconds: as seconds they would be after the year 5138.
_MAX_SECONDS = 100_000_000_000
_MAX_MILLISECONDS = 250_000_000_000_000  # the year 9892, within the range of Timestamp

Json = dict[str, Any]


def parse_import(body: bytes) -> list[Conversation]:
    """Parse an export file.

    Raises:
        InvalidRequestError: The body is not JSON, or not in a known format.
        RequestValidationError: A SmolChat export has an invalid field.
    """
    try:
        payload = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequestError(f"Invalid JSON: {error}.") from None
    if isinstance(payload, dict) and payload.get("format") == "smolchat":
        return validate_request(Export, payload).conversations
    entries = payload if isinstance(payload, list) else [payload]
    return [_conversation(entry, number) for number, entry in enumerate(entries)]


def _conversation(exported: object, number: int) -> Conversation:
    """Convert a chat as Open WebUI exports it."""
    entry = as_dict(exported)
    chat = as_dict(entry.get("chat")) or entry
    history = as_dict(chat.get("history"))
    by_key = as_dict(history.get("messages")) or _linear_messages(chat.get("messages"))
    if by_key is None:
        raise InvalidRequestError(
            f"Entry {number} is not a SmolChat or Open WebUI export. Export the chat as JSON."
        )
    ids, messages = _messages({key: raw for key, raw in by_key.items() if isinstance(raw, dict)})
    params, models = as_dict(chat.get("params")), chat.get("models")
    created_at = _parse_timestamp(entry.get("created_at") or chat.get("timestamp")) or utc_now()
    return Conversation(
        title=as_str(chat.get("title") or entry.get("title"))[:200],
        model=_model_id(models[0]) if isinstance(models, list) and models else None,
        system_prompt=as_str(params.get("system") or chat.get("system")) or None,
        parameters=_parameters(params),
        current=ids.get(as_str(history.get("currentId"))),
        messages=messages,
        created_at=created_at,
        updated_at=_parse_timestamp(entry.get("updated_at")) or created_at,
    )


def _linear_messages(value: object) -> Json | None:
    """Key a list of messages by id; a message without a parent follows the previous one."""
    if not isinstance(value, list):
        return None
    by_key: Json = {}
    previous = None
    for number, raw in enumerate(value):
        if isinstance(raw, dict):
            key = as_str(raw.get("id")) or str(number)
            by_key[key] = {"parentId": previous} | raw
            previous = key
    return by_key


def _messages(by_key: dict[str, Json]) -> tuple[dict[str, str], list[Message]]:
    """Return the new id of each key, and the messages, each after its parent.

    A message whose parent is missing, or is one of its own descendants, becomes a first message.
    """
    ids: dict[str, str] = {}
    messages = []
    for start in sorted(
        by_key, key=lambda key: _parse_timestamp(by_key[key].get("timestamp")) or utc_now()
    ):
        ancestors: dict[str, Json] = {}
        key = start
        while key in by_key and key not in ids and key not in ancestors:
            ancestors[key] = by_key[key]
            key = as_str(by_key[key].get("parentId"))
        parent = ids.get(key)
        for key, raw in reversed(ancestors.items()):
            ids[key] = new_id()
            messages.append(_message(raw, ids[key], parent))
            parent = ids[key]
    return ids, messages


def _message(raw: Json, message_id: str, parent: str | None) -> Message:
    role, content = raw.get("role"), raw.get("content")
    is_answer = role == "assistant"
    text = content_text(content)
    reasoning = _REASONING.match(text) if is_answer else None
    error = _error(raw.get("error"))
    state = "failed" if error else "interrupted" if raw.get("done") is False else "finished"
    timestamp = _parse_timestamp(raw.get("timestamp")) or utc_now()
    return Message.model_validate(
        {
            "id": message_id,
            "parent": parent,
            "role": role if role in _ROLES else "user",
            "content": text[reasoning.end() :] if reasoning else text,
            "parts": as_dict_list(content) or None,
            "reasoning": _strip_quote_marks(reasoning[1]) if reasoning else None,
            "model": _model_id(raw.get("model")) if is_answer else None,
            "state": state if is_answer else None,
            "error": error if is_answer else None,
            "created_at": timestamp,
            "updated_at": timestamp,
        }
    )


def _error(value: object) -> Json | None:
    if not value:
        return None
    message = as_str(as_dict(value).get("content")) or as_str(value) or "The answer failed."
    return {"message": message, "type": "server_error", "code": None, "param": None}


def _strip_quote_marks(text: str) -> str:
    return re.sub(r"(?m)^(?:> ?|&gt; ?)", "", text).strip()


def _parameters(params: Json) -> Json | None:
    supported = CompletionRequest.model_fields
    fields = {name: value for name, value in params.items() if name in supported}
    return {name: value for name, value in fields.items() if value is not None} or None


def _parse_timestamp(value: object) -> datetime | None:
    """Parse seconds or milliseconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value < _MAX_MILLISECONDS:
        return None
    return datetime.fromtimestamp(value / 1000 if value > _MAX_SECONDS else value, UTC)


def _model_id(value: object) -> str | None:
    return as_str(value)[:1000] or None
