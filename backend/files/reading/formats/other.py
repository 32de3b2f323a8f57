"""Read Excel, PowerPoint, EPUB and OpenDocument files: by Kreuzberg, a library that is optional."""

import zipfile
from typing import TYPE_CHECKING

from backend.files.reading.archive import open_archive
from backend.files.reading.errors import ReadError, damaged_file
from backend.files.reading.formats.markdown import write_markdown
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig

_OPEN_XML = "application/vnd.openxmlformats-officedocument"
# What shows the type of a document: a file in the archive, or what `mimetype` says.
_TYPES_BY_FILE = {
    "xl/workbook.xml": (f"{_OPEN_XML}.spreadsheetml.sheet", "an Excel workbook (.xlsx)"),
    "ppt/presentation.xml": (
        f"{_OPEN_XML}.presentationml.presentation",
        "a PowerPoint presentation (.pptx)",
    ),
}
_TYPES_BY_NAME = {
    "application/epub+zip": "an EPUB book (.epub)",
    "application/vnd.oasis.opendocument.text": "an OpenDocument text (.odt)",
}
_MAX_NAME_BYTES = 100


def read_other(source: Source, writer: TextWriter) -> None:
    with open_archive(source, "a document") as archive:
        media_type, kind = _media_type(archive)
    text = _extract(source, media_type, kind)
    write_markdown(text.splitlines(keepends=True), writer)


def _extract(source: Source, media_type: str, kind: str) -> str:
    try:
        # Only here: it is large, and may not be installed.
        from kreuzberg import KreuzbergError, extract_file_sync  # noqa: PLC0415
    except ImportError as error:
        raise ReadError(
            "unsupported_kind",
            f"The file is {kind}, which needs an extra: pip install 'smolchat[documents]' where "
            "the API runs, and restart it. Or export the file as PDF, and upload that.",
        ) from error
    try:
        return extract_file_sync(source.path, media_type, _config()).content
    except (KreuzbergError, OSError, RuntimeError, ValueError) as error:
        raise damaged_file(kind) from error


def _config() -> "ExtractionConfig":
    from kreuzberg import ExtractionConfig  # noqa: PLC0415

    return ExtractionConfig(output_format="markdown", use_cache=False)


def _media_type(archive: zipfile.ZipFile) -> tuple[str, str]:
    names = set(archive.namelist())
    for name, found in _TYPES_BY_FILE.items():
        if name in names:
            return found
    with archive.open("mimetype") as file:
        media_type = file.read(_MAX_NAME_BYTES).decode("ascii", "replace").strip()
    if media_type in _TYPES_BY_NAME:
        return media_type, _TYPES_BY_NAME[media_type]
    raise ReadError(
        "unsupported_kind",
        "The file is a document of a kind that cannot be read. Export it as PDF, Word (.docx), "
        "HTML or text, and upload that.",
    )
