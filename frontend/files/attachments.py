"""The files and collections that a chat is answered from, and how: stored with the chat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import streamlit as st

from api.files import MAX_FILES
from files.library import Library

FIELD = "file_search"  # of the parameters' `smolchat`, in the form of a request
MODES = {
    "auto": "Automatic",
    "quotes": "Quotes",
    "passages": "Passages",
    "whole": "Whole files",
}
MODE_HELP = (
    "Automatic: quotes with a small model, otherwise the whole files if they fit, or passages. "
    "Quotes: sentences of the files, picked without the model. "
    "Passages: the model answers from the best matches. "
    "Whole files: the model reads everything."
)
MAX_ATTACHED_FILES, MAX_ATTACHED_COLLECTIONS = 1000, 20  # the API's limits
_MAX_ID_CHARACTERS = 200
_KEY = "chat_attachments"

state = st.session_state


@dataclass(frozen=True)
class Attachments:
    file_ids: tuple[str, ...] = ()
    collection_ids: tuple[str, ...] = ()
    mode: str = "auto"

    def __bool__(self) -> bool:
        return bool(self.file_ids or self.collection_ids)

    def with_file(self, file_id: str) -> Self:
        ids = dict.fromkeys([*self.file_ids, file_id])
        return replace(self, file_ids=tuple(ids)[:MAX_ATTACHED_FILES])

    def with_collection(self, collection_id: str) -> Self:
        ids = dict.fromkeys([*self.collection_ids, collection_id])
        return replace(self, collection_ids=tuple(ids)[:MAX_ATTACHED_COLLECTIONS])

    def without(self, removed_id: str) -> Self:
        files = tuple(each for each in self.file_ids if each != removed_id)
        collections = tuple(each for each in self.collection_ids if each != removed_id)
        return replace(self, file_ids=files, collection_ids=collections)

    def existing(self, library: Library) -> Self:
        """Leave out what was deleted, as far as that is known. If nothing is left, all stays."""
        if library.error or len(library.files) >= MAX_FILES:
            return self
        files = tuple(each for each in self.file_ids if each in library.files_by_id)
        collections = tuple(
            each for each in self.collection_ids if each in library.collections_by_id
        )
        return replace(self, file_ids=files, collection_ids=collections) or self

    def request_field(self) -> dict[str, Any]:
        """Return them as a request has them."""
        field: dict[str, Any] = {"mode": self.mode}
        field |= {"file_ids": list(self.file_ids)} if self.file_ids else {}
        field |= {"vector_store_ids": list(self.collection_ids)} if self.collection_ids else {}
        return field


def attachments() -> Attachments:
    attached: Attachments = state.get(_KEY, Attachments())
    return attached


def attach(attached: Attachments) -> None:
    state[_KEY] = attached


def attachments_in(parameters: Mapping[str, Any]) -> Attachments:
    """Return the attachments among the parameters of a chat, which may be an imported one."""
    options = parameters.get("smolchat")
    field = options.get(FIELD) if isinstance(options, dict) else None
    if not isinstance(field, dict):
        return Attachments()
    mode = field.get("mode")
    return Attachments(
        _ids(field.get("file_ids"), MAX_ATTACHED_FILES),
        _ids(field.get("vector_store_ids"), MAX_ATTACHED_COLLECTIONS),
        mode if isinstance(mode, str) and mode in MODES else "auto",
    )


def _ids(value: Any, limit: int) -> tuple[str, ...]:
    ids: Sequence[Any] = value if isinstance(value, list) else []
    texts = (each for each in ids if isinstance(each, str) and 0 < len(each) <= _MAX_ID_CHARACTERS)
    return tuple(dict.fromkeys(texts))[:limit]
