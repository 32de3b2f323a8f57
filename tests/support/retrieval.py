"""Documents for tests of retrieval."""

from collections.abc import Sequence

from backend.files.reading.document import Section
from backend.files.retrieval.passages import StringText


class TextDocument:
    """A document whose text is in memory."""

    def __init__(self, text: str, sections: Sequence[Section] = ()) -> None:
        self.text = StringText(text)
        self.sections = sections
