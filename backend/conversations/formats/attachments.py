"""What is attached to a message of another program: images, and text that is in the export."""

import re

from backend.conversations.formats.fields import Json, file_name
from backend.conversations.formats.imported_chat import ImportedChat
from backend.conversations.formats.message_tree import ImportedMessage
from backend.json_values import as_dict, as_dict_list, as_str

MAX_FILE_CHARACTERS = 200_000  # of a file's text; more would make its message unusable
_MAX_TITLE_CHARACTERS = 200
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


def attach_files(chat: ImportedChat, message: ImportedMessage, files: object) -> None:
    """Add the images and texts in a list of files to their message; name the others as left out.

    Open WebUI and llama.cpp's web UI export the text that they have read in a file, not its bytes.
    """
    for item in as_dict_list(files):
        kind, name = _kind_and_name(item)
        if url := _data_url(item):
            message.images.append(image_part(url, name))
        elif text := _file_text(item):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            title = " ".join(name.split())[:_MAX_TITLE_CHARACTERS] or "file"
            block = f"[File: {title}]\n{fence}\n{text}\n{fence}"
            message.content = "\n\n".join(filter(None, [message.content, block]))
            chat.text_files.add(name)
        else:
            chat.leave_out(kind, name)


def leave_out_files(chat: ImportedChat, files: object) -> None:
    """Name the files in a list as left out, but for those whose text is in a message."""
    for item in as_dict_list(files):
        kind, name = _kind_and_name(item)
        if not name or name not in chat.text_files:
            chat.leave_out(kind, name)


def read_parts(chat: ImportedChat, content: object) -> list[Json]:
    """Return the images in a message's `content`; name what is not text as left out."""
    images = list[Json]()
    for part in as_dict_list(content):
        if as_str(part.get("type")) not in _TEXT_TYPES:
            kind, name = _kind_and_name(part)
            if url := _data_url(part):
                images.append(image_part(url, name))
            else:
                chat.leave_out(kind, name)
    return images


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


def _file_text(item: Json) -> str:
    """Return the text of a file, if the export has it and it is not too long."""
    text = as_str(as_dict(as_dict(item.get("file")).get("data")).get("content"))
    text = (text or as_str(item.get("content"))).strip()
    return text if len(text) <= MAX_FILE_CHARACTERS else ""


def _kind_and_name(item: Json) -> tuple[str, str]:
    kind = as_str(item.get("type")).lower().replace("_file", "file") or "file"
    name = file_name(item) or file_name(as_dict(item.get("smolchat")))
    return _KINDS.get(kind, kind.replace("_", " ")), name or file_name(as_dict(item.get(kind)))
