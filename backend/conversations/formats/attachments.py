"""What is attached to a message of another program: images are imported, other files are not."""

import re

from backend.conversations.formats.fields import Json, file_name
from backend.conversations.formats.imported_chat import ImportedChat
from backend.json_values import as_dict, as_dict_list, as_str

_TEXT_TYPES = {"text", "input_text", "output_text", "refusal", "thinking", "reasoning", ""}
# An image in the text, in the text itself or in the other program's files; or code, which stays.
_EMBEDDED_IMAGE = re.compile(
    r"""
      (?P<code>^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+).*?(?:^[ ]{0,3}(?P=fence)|\Z) | `[^`\n]*`)
    | !\[(?P<name>[^\[\]\n]*)\]\(\s*<?(?P<url>(?:data:|/api/v1/files/|/cache/)[^)\s>]*)>?\)?
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


def read_files(chat: ImportedChat, files: object) -> list[Json]:
    """Return the images in a list of files as content parts; name the others as left out."""
    images = []
    for item in as_dict_list(files):
        name = _kind_and_name(item)
        if url := _data_url(item):
            images.append(image_part(url, name[1]))
        else:
            chat.leave_out(*name)
    return images


def leave_out_files(chat: ImportedChat, files: object) -> None:
    """Name the files in a list as left out."""
    for item in as_dict_list(files):
        chat.leave_out(*_kind_and_name(item))


def read_parts(chat: ImportedChat, content: object) -> list[Json]:
    """Return the images in a message's `content`; name what is not text as left out."""
    parts = as_dict_list(content)
    return read_files(chat, [p for p in parts if as_str(p.get("type")) not in _TEXT_TYPES])


def read_embedded_images(chat: ImportedChat, text: str) -> tuple[str, list[Json]]:
    """Replace images that are part of the text by their names: no model can read them there.

    Return the text, and those whose data is in it.
    """
    images = list[Json]()
    if "![" not in text:
        return text, images

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        name = match["name"]
        if match["url"].startswith("data:image/"):
            images.append(image_part(match["url"], name))
        else:
            chat.leave_out("image", name)
        return f"[Image: {name}]" if name else "[Image]"

    return _EMBEDDED_IMAGE.sub(replace, text), images


def image_part(url: str, name: str) -> Json:
    """Return an image as a content part in OpenAI's shape, with its name."""
    return {"type": "image_url", "image_url": {"url": url}, "smolchat": {"name": name}}


def _data_url(item: Json) -> str:
    """Return the data URL of an image, in whatever field programs have it, or an empty string."""
    fields = (item.get(name) for name in ("url", "base64Url", "image_url"))
    urls = (as_str(as_dict(value).get("url")) or as_str(value) for value in fields)
    return next((url for url in urls if url[:11].lower() == "data:image/"), "")


def _kind_and_name(item: Json) -> tuple[str, str]:
    kind = as_str(item.get("type")).lower().replace("_file", "file") or "file"
    name = file_name(item) or file_name(as_dict(item.get("smolchat")))
    return _KINDS.get(kind, kind.replace("_", " ")), name or file_name(as_dict(item.get(kind)))
