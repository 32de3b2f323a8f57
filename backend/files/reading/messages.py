"""What the process that reads files is sent, and what it answers: JSON after its length."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.files.reading.document import Section
from backend.files.reading.source import Source
from backend.files.reading.text_writer import DocumentFile, TextFile

LENGTH_BYTES = 4

Message = dict[str, Any]


def pack(message: Message) -> bytes:
    data = json.dumps(message).encode()
    return len(data).to_bytes(LENGTH_BYTES) + data


def request_message(source: Source, text_path: Path) -> Message:
    return {
        "path": str(source.path),
        "name": source.name,
        "text_path": str(text_path),
        "limits": asdict(source.limits),
    }


def document_message(document: DocumentFile) -> Message:
    return {
        "characters": document.text.characters,
        "places": document.text.places,
        "sections": [
            (section.start, section.end, section.page, section.heading)
            for section in document.sections
        ],
        "warning": document.warning,
    }


def read_document_message(message: Message, text_path: Path) -> DocumentFile:
    places = [(characters, position) for characters, position in message["places"]]
    return DocumentFile(
        TextFile(text_path, message["characters"], places),
        [Section(*section) for section in message["sections"]],
        message["warning"],
    )
