"""What is said about a file: its name, its size, a place in it, and its text with marks.

Names, headings and texts come from outside: they are shown as they are, and never as Markdown.
"""

from collections.abc import Iterable
from html import escape

from sanitize.plain_text import visible_text

MAX_NAME_CHARACTERS = 80
MAX_HEADING_CHARACTERS = 120
_UNITS = ("KB", "MB", "GB", "TB")


def short_name(name: str) -> str:
    """Return the name on one line, its middle left out if it is long: it ends with its kind."""
    name = " ".join(visible_text(name).split()) or "Unnamed file"
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    half = MAX_NAME_CHARACTERS // 2
    return f"{name[:half]}…{name[-half:]}"


def size_text(size: float) -> str:
    if size < 1024:
        return f"{size:.0f} bytes"
    for unit in _UNITS:
        size /= 1024
        if size < 999.5 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"


def count_text(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def place_text(page: int | None, heading: str | None) -> str:
    """Return where in a file something is, as far as it is known."""
    heading = " ".join(visible_text(heading or "").split())
    if len(heading) > MAX_HEADING_CHARACTERS:
        heading = f"{heading[:MAX_HEADING_CHARACTERS]}…"
    return " · ".join(part for part in (f"page {page}" if page else "", heading) if part)


def marked_html(text: str, marks: Iterable[tuple[int, int]]) -> str:
    """Return the text as HTML in which parts of it are marked, given in the order of the text."""
    output, position = list[str](), 0
    for mark in marks:
        start, end = max(mark[0], position), min(mark[1], len(text))
        if start < end:
            output.append(_html(text[position:start]))
            output.append(f"<mark>{_html(text[start:end])}</mark>")
            position = end
    return "".join([*output, _html(text[position:])])


def _html(text: str) -> str:
    return escape(visible_text(text), quote=True)
