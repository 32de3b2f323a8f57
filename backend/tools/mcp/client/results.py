"""Converts the result of a call on an MCP server to text."""

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic_core import to_json

from backend.tools.mcp.clean_text import clean_line, clean_text
from backend.tools.tool import ToolResult

_MAX_NAME_CHARACTERS = 200


def read_result(result: CallToolResult, max_characters: int) -> ToolResult:
    """Return a result as text: structured content as JSON, other media as a placeholder."""
    blocks = [_block_text(block) for block in result.content]
    has_text = any(isinstance(block, TextContent) and block.text for block in result.content)
    if result.structured_content is not None and not has_text:
        blocks.append(to_json(result.structured_content).decode())
    text = clean_text("\n".join(filter(None, blocks)), max_characters)
    return ToolResult(text or "(no content)", is_error=result.is_error)


def _block_text(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return _placeholder(block.type, block.mime_type, len(block.data))
        case ResourceLink():
            name = clean_line(f"{block.name} {block.uri}", _MAX_NAME_CHARACTERS)
            return f"[link: {name}]"
        case EmbeddedResource():
            return _resource_text(block.resource)


def _resource_text(resource: TextResourceContents | BlobResourceContents) -> str:
    if isinstance(resource, TextResourceContents):
        return resource.text
    return _placeholder("file", resource.mime_type or "unknown type", len(resource.blob))


def _placeholder(kind: str, mime_type: str, base64_characters: int) -> str:
    byte_count = base64_characters * 3 // 4
    return f"[{kind}: {clean_line(mime_type, 100)}, {byte_count:,} bytes, not shown]"
