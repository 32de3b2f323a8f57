"""The page's judge: the same for every way of asking."""

import socket
import threading

import jsonschema_rs
import pytest

from structured.validator import SchemaValidator, json_pointer
from tests.support.json_samples import JSON, NO_JSON

DATED = SchemaValidator(
    {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}},
        "required": ["day"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    "text",
    [
        '{"day": "2027-03-01"}',
        '  {"day": "2027-03-01"}\n',
        '```json\n{"day": "2027-03-01"}\n```',
        '\n```\n{"day": "2027-03-01"}```\n',
    ],
)
def test_what_fits_has_no_faults_and_a_fence_is_forgiven(text: str) -> None:
    assert DATED.issues(text) == []


@pytest.mark.parametrize(
    ("text", "pointer", "keyword"),
    [
        ('{"day": "soon"}', "/day", "format"),
        ("{}", "", "required"),
        ('{"day": "2027-03-01", "hour": 1}', "", "additionalProperties"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, pointer: str, keyword: str) -> None:
    [fault] = DATED.issues(text)
    assert (fault.pointer, fault.keyword) == (pointer, keyword)


@pytest.mark.parametrize("text", JSON)
def test_what_is_json_is_taken(text: str) -> None:
    assert SchemaValidator({}).issues(text) == []


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_not_json_is_not_mended(text: str) -> None:
    assert [fault.keyword for fault in SchemaValidator({}).issues(text)] == ["json"]


def test_faults_are_told_up_to_a_number() -> None:
    assert len(SchemaValidator({"items": {"type": "string"}}).issues(str([1] * 1000))) == 20


def test_a_path_becomes_a_json_pointer() -> None:
    assert json_pointer(["a/b", 0, "m~n"]) == "/a~1b/0/m~0n"


@pytest.mark.parametrize("keyword", ["$ref", "$schema"])
def test_nothing_that_a_schema_names_is_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1)
        called = threading.Event()

        def answer() -> None:
            try:
                listener.accept()[0].close()
                called.set()
            except TimeoutError:
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(jsonschema_rs.ValidationError):
            SchemaValidator({keyword: f"http://127.0.0.1:{listener.getsockname()[1]}/schema"})
        thread.join()
    assert not called.is_set()
