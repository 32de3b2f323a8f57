"""What an import has done, in words."""

import re

import pytest

from api.conversations import ImportResult, LeftOut
from chat.import_result import MAX_SHOWN, imported_text, left_out_text

SUMMARY = {"id": "1", "title": "T", "updated_at": "2026-01-01T00:00:00Z"}


def result(*left_out: LeftOut, count: int = 1, total: int | None = None) -> ImportResult:
    number = len(left_out) if total is None else total
    fields = {"data": [SUMMARY], "imported_count": count, "left_out": left_out}
    return ImportResult.model_validate(fields | {"left_out_count": number})


def left_out(title: str, reason: str, *, imported: bool = False) -> LeftOut:
    return LeftOut(index=2, title=title, imported=imported, reason=reason)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 chat imported"), (2, "2 chats imported"), (1234, "1,234 chats imported")],
)
def test_number_of_imported_chats_is_said(count: int, text: str) -> None:
    assert imported_text(result(count=count)) == text
    assert left_out_text(result(count=count)) == ""


def test_each_reason_is_listed() -> None:
    empty = left_out("Empty", "It has no messages.")
    file = left_out("", "Not imported: file.", imported=True)
    assert left_out_text(result(empty, file)) == (
        "Left out:\n- **Empty** (the whole chat): It has no messages.\n"
        "- **Chat 3** (only a part): Not imported\\:: file."
    ).replace("\\::", "\\::small[]{}")


def test_long_list_is_cut() -> None:
    text = left_out_text(result(*[left_out("Empty", "No.")] * 100, total=500))
    assert text.count("Empty") == MAX_SHOWN
    assert text.endswith("- and 480 more")


def test_titles_and_reasons_are_plain_text() -> None:
    hostile = "![x](http://evil.test)\n\n<b> [run](javascript:1) :smile:"
    text = left_out_text(result(left_out(hostile, hostile)))
    assert len(text.splitlines()) == 2
    assert not re.search(r"(?<!\\)(!\[|\]\(|<b)", text)
