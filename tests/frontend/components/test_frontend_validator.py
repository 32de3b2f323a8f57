"""The validator of the page, which all benchmark methods share."""

import socket
import threading

import jsonschema_rs
import pytest

from components.schema_validator import SchemaValidator, json_pointer
from tests.support.json_samples import INVALID_JSON, VALID_JSON

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
def test_valid_json_has_no_issues_even_in_a_fence(text: str) -> None:
    assert DATED.issues(text) == []


@pytest.mark.parametrize(
    ("text", "pointer", "keyword"),
    [
        ('{"day": "soon"}', "/day", "format"),
        ("{}", "", "required"),
        ('{"day": "2027-03-01", "hour": 1}', "", "additionalProperties"),
    ],
)
def test_issue_has_pointer_and_keyword(text: str, pointer: str, keyword: str) -> None:
    [issue] = DATED.issues(text)
    assert (issue.pointer, issue.keyword) == (pointer, keyword)


@pytest.mark.parametrize("text", VALID_JSON)
def test_json_is_accepted(text: str) -> None:
    assert SchemaValidator({}).issues(text) == []


@pytest.mark.parametrize("text", INVALID_JSON)
def test_invalid_json_is_not_repaired(text: str) -> None:
    assert [issue.keyword for issue in SchemaValidator({}).issues(text)] == ["json"]


def test_number_of_issues_is_limited() -> None:
    assert len(SchemaValidator({"items": {"type": "string"}}).issues(str([1] * 1000))) == 20


def test_path_is_formatted_as_json_pointer() -> None:
    assert json_pointer(["a/b", 0, "m~n"]) == "/a~1b/0/m~0n"


@pytest.mark.parametrize("keyword", ["$ref", "$schema"])
def test_remote_references_are_not_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1)
        was_called = threading.Event()

        def answer() -> None:
            try:
                listener.accept()[0].close()
                was_called.set()
            except TimeoutError:
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(jsonschema_rs.ValidationError):
            SchemaValidator({keyword: f"http://127.0.0.1:{listener.getsockname()[1]}/schema"})
        thread.join()
    assert not was_called.is_set()


@pytest.mark.parametrize("name", ["Größe", "a b", "List[int]", "Map<K,V>", "100%", "a%C3%A4"])
def test_reference_may_have_any_characters(name: str) -> None:
    schema = {
        "$defs": {name.replace("%C3%A4", "ä"): {"type": "integer"}},
        "$ref": f"#/$defs/{name}",
    }
    validator = SchemaValidator(schema)
    assert validator.issues("1") == []
    assert [issue.keyword for issue in validator.issues('"x"')] == ["type"]


def test_data_like_a_reference_is_compared_as_it_is() -> None:
    assert SchemaValidator({"const": {"$ref": "#/ä"}}).issues('{"$ref": "#/ä"}') == []
