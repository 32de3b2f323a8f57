"""Read text, logs and source code: as they are."""

from backend.files.reading.decoding import decoded_parts
from backend.files.reading.source import Source
from backend.files.reading.text_writer import TextWriter


def read_plain(source: Source, writer: TextWriter) -> None:
    for text in decoded_parts(source):
        writer.write(text)
