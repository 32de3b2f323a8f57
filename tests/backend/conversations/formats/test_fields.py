"""Fields that the formats of other programs have in common."""

import pytest

from backend.conversations.formats.fields import (
    file_name,
    parse_timestamp,
    read_error,
    read_key,
    read_role,
)


@pytest.mark.parametrize(
    "value",
    [
        1700000000,
        1700000000.0,
        1700000000000,
        1700000000000000,
        1700000000000000000,
        "1700000000",
        " 1700000000000 ",
        "1.7e9",
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.000+00:00",
        "2023-11-15T00:13:20+02:00",
        "2023-11-14 22:13:20",
    ],
)
def test_timestamp_is_read_in_every_unit(value: object) -> None:
    moment = parse_timestamp(value)
    assert moment
    assert moment.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, [], {}, "", "soon", "nan", "inf", 0, -1, "-5", 10**400, 1e300, float("nan")),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T00:00:00Z"),
    ],
)
def test_value_that_is_no_time_is_ignored(value: object) -> None:
    assert parse_timestamp(value) is None


@pytest.mark.parametrize(
    ("value", "role"),
    [
        ("user", "user"),
        ("Assistant", "assistant"),
        ("human", "user"),
        ("model", "assistant"),
        ("function", "tool"),
        ("developer", "developer"),
        ("narrator", "user"),
        (None, "user"),
    ],
)
def test_role_has_the_name_of_the_store(value: object, role: str) -> None:
    assert read_role(value) == role


@pytest.mark.parametrize(
    ("value", "key"), [("a", "a"), (7, "7"), (-1, "-1"), ("", None), (None, None), (True, None)]
)
def test_reference_may_be_a_number(value: object, key: str | None) -> None:
    assert read_key(value) == key


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"content": "No!"}, "No!"),
        ({"message": "No!"}, "No!"),
        ("No!", "No!"),
        (True, "The answer failed."),
        ({"x": 1}, "The answer failed."),
    ],
)
def test_error_has_openais_shape(value: object, message: str) -> None:
    error = read_error(value)
    assert error
    assert (error["message"], error["type"]) == (message, "server_error")


@pytest.mark.parametrize("value", [None, "", False, {}, []])
def test_answer_without_an_error_has_none(value: object) -> None:
    assert read_error(value) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"name": "a.pdf"}, "a.pdf"),
        ({"file": {"filename": "b.pdf"}}, "b.pdf"),
        ({"file": {"meta": {"name": "c.pdf"}}}, "c.pdf"),
        ({"file": "d.pdf", "name": 7}, ""),
        (None, ""),
    ],
)
def test_file_name_is_found_where_programs_put_it(value: object, name: str) -> None:
    assert file_name(value) == name
