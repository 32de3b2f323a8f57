"""What is attached to a message of another program, which is not imported: files and images."""

import re
from collections.abc import Iterator

from backend.conversations.formats.fields import file_name
from backend.conversations.formats.imported_chat import ImportedChat
from backend.json_values import as_dict, as_dict_list, as_str

_TEXT_TYPES = {"text", "input_text", "output_text", "refusal", "thinking", "reasoning", ""}
# An image in the text, in the text itself or in the other program's files; or code, which stays.
_EMBEDDED_IMAGE = re.compile(
    r"""
      (?P<code>^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+).*?(?:^[ ]{0,3}(?P=fence)|\Z) | `[^`\n]*`)
    | !\[(?P<name>[^\[\]\n]*)\]\(\s*<?(?:data:|/api/v1/files/|/cache/)[^)\s]*\)?
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_KINDS = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "imagefile": "image",
    "audiofile": "audio",
    "videofile": "video",
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "doc": "file",
    "input_file": "file",
    "textfile": "file",
    "pdffile": "file",
}


def leave_out_files(chat: ImportedChat, files: object) -> None:
    """Name the files in a list as left out."""
    for item in as_dict_list(files):
        chat.leave_out(*_kind_and_name(item))


def leave_out_parts(chat: ImportedChat, content: object) -> None:
    """Name the parts of a message's `content` that are not text as left out."""
    for part in as_dict_list(content):
        if as_str(part.get("type")) not in _TEXT_TYPES:
            chat.leave_out(*_kind_and_name(part))


def without_embedded_images(chat: ImportedChat, text: str) -> str:
    """Replace images that are part of the text by their names: no model can read them there."""
    if "![" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        name = match["name"]
        chat.leave_out("image", name)
        return f"[Image: {name}]" if name else "[Image]"

    return _EMBEDDED_IMAGE.sub(replace, text)


def _kind_and_name(item: dict[str, object]) -> Iterator[str]:
    kind = as_str(item.get("type")).lower().replace("_file", "file") or "file"
    yield _KINDS.get(kind, kind.replace("_", " "))
    yield file_name(item) or file_name(as_dict(item.get(kind)))
