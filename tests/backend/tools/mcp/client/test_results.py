"""A result is text: what is not text is named, structured content is JSON."""

from typing import Any

import pytest
from mcp_types import CallToolResult

from backend.tools.mcp.client.results import read_result


def read(*content: dict[str, Any], max_characters: int = 1000, **fields: Any) -> str:
    result = CallToolResult.model_validate({"content": list(content)} | fields)
    return read_result(result, max_characters).text


def test_texts_are_joined_and_cleaned() -> None:
    blocks = [{"type": "text", "text": "a\x1b[2J"}, {"type": "text", "text": "b"}]
    assert read(*blocks) == "a\nb"


def test_markup_is_only_text() -> None:
    text = '<img src=x onerror="alert(1)"> ![x](http://example.com/x)'
    assert read({"type": "text", "text": text}) == text


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_image_and_audio_are_named_and_not_shown(kind: str) -> None:
    block = {"type": kind, "data": "QUJD", "mimeType": f"{kind}/x\n"}
    assert read(block) == f"[{kind}: {kind}/x, 3 bytes, not shown]"


def test_resources_are_text_or_named() -> None:
    link = {"type": "resource_link", "name": "notes", "uri": "file:///notes"}
    text = {"type": "resource", "resource": {"uri": "file:///a", "text": "content"}}
    blob = {"type": "resource", "resource": {"uri": "file:///b", "blob": "QUJD"}}
    assert read(link, text, blob) == (
        "[link: notes file:///notes]\ncontent\n[file: unknown type, 3 bytes, not shown]"
    )


def test_structured_content_is_json_unless_there_is_text() -> None:
    assert read(structuredContent={"sum": 3}) == '{"sum":3}'
    assert read({"type": "text", "text": "three"}, structuredContent={"sum": 3}) == "three"


def test_empty_and_long_results_say_so() -> None:
    assert read() == "(no content)"
    assert read({"type": "text", "text": "x" * 2000}).endswith("[truncated: 2,000 characters]")


def test_error_of_the_tool_is_marked() -> None:
    assert read_result(CallToolResult(content=[], is_error=True), 100).is_error
