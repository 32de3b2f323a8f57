"""Attachments: read from the parameters of a chat, whatever these are, and without what is gone."""

from typing import Any

import pytest

from api.errors import ApiError
from api.files import Collection, StoredFile
from files.attachments import Attachments, attachments_in
from files.library import Library

FIELD = {"mode": "quotes", "file_ids": ["a", "b"], "vector_store_ids": ["v"]}
FILE = StoredFile.model_validate(
    {"id": "a", "filename": "a.txt", "created_at": 0, "status": "processed"}
)


def test_request_field_is_read_back() -> None:
    attached = attachments_in({"smolchat": {"tools": ["x"], "file_search": FIELD}})
    assert attached == Attachments(("a", "b"), ("v",), "quotes")
    assert attached.request_field() == FIELD


@pytest.mark.parametrize(
    "parameters",
    [{}, {"smolchat": 1}, {"smolchat": {"file_search": []}},
     {"smolchat": {"file_search": {"file_ids": [1, "", "x" * 201], "mode": {}}}}],
)  # fmt: skip
def test_other_parameters_are_no_attachments(parameters: dict[str, Any]) -> None:
    assert attachments_in(parameters) == Attachments()


def test_deleted_files_are_left_out_if_others_are_there() -> None:
    attached = Attachments(("a", "gone"), ("v",))
    library = Library([FILE], [Collection(id="v")])
    assert attached.existing(library) == Attachments(("a",), ("v",))
    assert Attachments(("gone",)).existing(library) == Attachments(("gone",))
    assert attached.existing(Library(error=ApiError("down"))) == attached
