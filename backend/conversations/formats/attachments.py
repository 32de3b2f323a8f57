"""What is attached to a message of another program, which is not imported: files and images."""

import re
from collections.abc import Iterator

from backend.conversations.formats.fields import file_name
from backend.conversations.formats.imported_chat import ImportedChat
from backend.json_values import as_dict, as_dict_list, as_str

_TEXT_TYPES = {"text", "input_text", "output_text", "refusal", "thinking", "reasoning", ""}
# An image within the text, as `![name](data:image/png;base64,…)`.
_DATA_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(\s*<?data:[^)\s]*\)?")
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


def without_data_images(chat: ImportedChat, text: str) -> str:
    """Replace images that are part of the text by their names: no model can read them there."""
    if "data:" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        chat.leave_out("image", match[1])
        return f"[Image: {match[1]}]" if match[1] else "[Image]"

    return _DATA_IMAGE.sub(replace, text)


def _kind_and_name(item: dict[str, object]) -> Iterator[str]:
    kind = as_str(item.get("type")).lower().replace("_file", "file") or "file"
    yield _KINDS.get(kind, kind.replace("_", " "))
    yield file_name(item) or file_name(as_dict(item.get(kind)))
