"""The numbers of citations in an answer, and quotes in it that are shown word for word.

Both have their place in the text before it is sanitized as Markdown, and what is shown of them only
after that: what a file says is never Markdown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from api.chat_chunk import FileCitation
from sanitize.markdown_fence import FENCE, closes_fence
from sanitize.plain_text import plain_text, visible_text

MAX_LINKS = 50  # citations that can be opened; each has a button
# Characters for private use, which stand for the number and for the quote of a citation.
_NUMBER, _QUOTE, _END = "\ue0f0", "\ue0f1", "\ue0f2"
_RESERVED = re.compile(f"[{_NUMBER}{_QUOTE}{_END}]")
_PLACEHOLDER = re.compile(f"([{_NUMBER}{_QUOTE}])([0-9]{{1,6}}){_END}")


@dataclass
class CitedText:
    """The text of an answer with placeholders, and the citations that they stand for.

    `link_id` is the answer's, once its citations can be opened.
    """

    text: str
    citations: Sequence[FileCitation] = ()
    link_id: str | None = None
    _fence: str = field(default="", init=False)

    @classmethod
    def of(cls, text: str, citations: Sequence[FileCitation], link_id: str | None = None) -> Self:
        if not citations:
            return cls(text)
        text = _RESERVED.sub("\ufffd", text)
        output, position = list[str](), 0
        order = sorted(range(len(citations)), key=lambda n: citations[n].index)
        for n in order:
            end = min(max(citations[n].index, position), len(text))
            output.append(_with_quote(text, position, end, citations[n], n))
            output.append(f"{_NUMBER}{n}{_END}")
            position = end
        return cls("".join([*output, text[position:]]), citations, link_id)

    def markdown(self, sanitized: str) -> str:
        """Return sanitized Markdown with the numbers as links, and the quotes as plain text."""
        if not self.citations:
            return sanitized
        fence, lines = "", list[str]()
        for line in sanitized.split("\n"):
            if fence:
                fence = "" if closes_fence(fence, line) else fence
            elif opening := FENCE.match(line):
                fence = opening["mark"]
            lines.append(self.plain(line) if fence else _PLACEHOLDER.sub(self._markdown, line))
        return "\n".join(lines)

    def plain(self, text: str) -> str:
        return _PLACEHOLDER.sub(self._plain, text)

    def _markdown(self, placeholder: re.Match[str]) -> str:
        if (citation := self._citation(placeholder)) is None:
            return ""
        number = int(placeholder[2])
        if placeholder[1] == _QUOTE:
            return plain_text(visible_text(citation.quote))
        label = rf"\[{number + 1}\]"
        can_open = self.link_id is not None and number < MAX_LINKS
        return f" [{label}](#cite-{self.link_id}-{number})" if can_open else f" {label}"

    def _plain(self, placeholder: re.Match[str]) -> str:
        if (citation := self._citation(placeholder)) is None:
            return ""
        return citation.quote if placeholder[1] == _QUOTE else f" [{int(placeholder[2]) + 1}]"

    def _citation(self, placeholder: re.Match[str]) -> FileCitation | None:
        number = int(placeholder[2])
        return self.citations[number] if number < len(self.citations) else None


def _with_quote(text: str, start: int, end: int, citation: FileCitation, number: int) -> str:
    """Return a part of the text, in which the quote that it ends with has a placeholder."""
    quote = citation.quote
    found = text.rfind(quote, start, end) if quote and citation.match != "similar_passage" else -1
    if found < 0:
        return text[start:end]
    return f"{text[start:found]}{_QUOTE}{number}{_END}{text[found + len(quote) : end]}"
