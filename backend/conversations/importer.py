"""Files of conversations, read: our own, and what Open WebUI exports.

Ours is taken as it is or refused. Of Open WebUI's, whose form changed over the years, what is
understood is taken.
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
_MILLISECONDS = 100_000_000_000  # a larger number is no second of these millennia
_END_OF_TIME = 250_000_000_000_000

Json = dict[str, Any]


def parse_import(body: bytes) -> list[Conversation]:
    """Read a file of conversations.

    Raises:
        InvalidRequestError: it is no JSON, or of no kind that is known.
        RequestValidationError: it is of ours, and something in it is wrong.
    """
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequestError(f"Not JSON: {error}.") from None
    if isinstance(found, dict) and found.get("format") == "smolchat":
        return validate_request(Export, found).conversations
    chats = found if isinstance(found, list) else [found]
    return [_conversation(chat, number) for number, chat in enumerate(chats)]


def _conversation(exported: object, number: int) -> Conversation:
    entry = as_dict(exported)
    chat = as_dict(entry.get("chat")) or entry
    history = as_dict(chat.get("history"))
    told = as_dict(history.get("messages")) or _linear_messages(chat.get("messages"))
    if told is None:
        raise InvalidRequestError(
            f"Entry {number} is no conversation of SmolChat or Open WebUI. Export it as JSON."
        )
    ids, messages = _messages({key: said for key, said in told.items() if isinstance(said, dict)})
    params, models = as_dict(chat.get("params")), chat.get("models")
    created = _parse_timestamp(entry.get("created_at") or chat.get("timestamp")) or utc_now()
    return Conversation(
        title=as_str(chat.get("title") or entry.get("title"))[:200],
        model=_name(models[0]) if isinstance(models, list) and models else None,
        system_prompt=as_str(params.get("system") or chat.get("system")) or None,
        parameters=_parameters(params),
        current=ids.get(as_str(history.get("currentId"))),
        messages=messages,
        created_at=created,
        updated_at=_parse_timestamp(entry.get("updated_at")) or created,
    )


def _linear_messages(told: object) -> Json | None:
    """Read a list of messages, each of which follows the one before where it does not say."""
    if not isinstance(told, list):
        return None
    found: Json = {}
    before = None
    for number, said in enumerate(told):
        if isinstance(said, dict):
            key = as_str(said.get("id")) or str(number)
            found[key] = {"parentId": before} | said
            before = key
    return found


def _messages(told: dict[str, Json]) -> tuple[dict[str, str], list[Message]]:
    """Give the messages, each after its parent, and their new ids.

    A parent that is not there, or that follows what it precedes, is none.
    """
    ids: dict[str, str] = {}
    messages = []
    for first in sorted(
        told, key=lambda key: _parse_timestamp(told[key].get("timestamp")) or utc_now()
    ):
        chain: dict[str, Json] = {}
        key = first
        while key in told and key not in ids and key not in chain:
            chain[key] = told[key]
            key = as_str(told[key].get("parentId"))
        parent = ids.get(key)
        for key, said in reversed(chain.items()):
            ids[key] = new_id()
            messages.append(_message(said, ids[key], parent))
            parent = ids[key]
    return ids, messages


def _message(said: Json, message: str, parent: str | None) -> Message:
    role, content = said.get("role"), said.get("content")
    is_answer = role == "assistant"
    parts = as_dict_list(content) or None
    text = content_text(content)
    thought = _REASONING.match(text) if is_answer else None
    error = _error(said.get("error"))
    state = "failed" if error else "interrupted" if said.get("done") is False else "finished"
    at = _parse_timestamp(said.get("timestamp")) or utc_now()
    return Message.model_validate(
        {
            "id": message,
            "parent": parent,
            "role": role if role in _ROLES else "user",
            "content": text[thought.end() :] if thought else text,
            "parts": parts,
            "reasoning": _strip_quote_marks(thought[1]) if thought else None,
            "model": _name(said.get("model")) if is_answer else None,
            "state": state if is_answer else None,
            "error": error if is_answer else None,
            "created_at": at,
            "updated_at": at,
        }
    )


def _error(told: object) -> Json | None:
    if not told:
        return None
    message = as_str(as_dict(told).get("content")) or as_str(told) or "The answer failed."
    return {"message": message, "type": "server_error", "code": None, "param": None}


def _strip_quote_marks(text: str) -> str:
    return re.sub(r"(?m)^(?:> ?|&gt; ?)", "", text).strip()


def _parameters(params: Json) -> Json | None:
    known = CompletionRequest.model_fields
    found = {name: value for name, value in params.items() if name in known and value is not None}
    return found or None


def _parse_timestamp(told: object) -> datetime | None:
    """Read seconds, or milliseconds, since 1970."""
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < _END_OF_TIME:
        return None
    return datetime.fromtimestamp(told / 1000 if told > _MILLISECONDS else told, UTC)


def _name(value: object) -> str | None:
    return as_str(value)[:1000] or None
