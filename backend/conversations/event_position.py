"""How far a client has followed a conversation: the `id` of each event, and its `Last-Event-ID`."""

from dataclasses import dataclass
from zlib import crc32

MAX_ANSWERS = 8  # whose positions an id has; any more begin again after a break


@dataclass
class TextPosition:
    """How many characters of a text were sent, and their checksum."""

    length: int = 0
    checksum: int = 0

    def advance(self, text: str) -> None:
        self.length += len(text)
        self.checksum = crc32(text.encode(errors="surrogatepass"), self.checksum)

    def is_in(self, text: str) -> bool:
        """Return True if a text begins with what was sent."""
        start = text[: self.length].encode(errors="surrogatepass")
        return len(text) >= self.length and crc32(start) == self.checksum


@dataclass(frozen=True)
class AnswerPosition:
    """What was sent of an answer: all before the message `number`, and this much of its text."""

    number: int
    content: TextPosition
    reasoning: TextPosition


@dataclass(frozen=True)
class EventPosition:
    """The last message that is stored of a conversation, and the answers in progress."""

    last_number: int
    answers: tuple[AnswerPosition, ...] = ()

    def __str__(self) -> str:
        numbers = [
            (
                a.number,
                a.content.length,
                a.content.checksum,
                a.reasoning.length,
                a.reasoning.checksum,
            )
            for a in self.answers[-MAX_ANSWERS:]
        ]
        return ";".join([str(self.last_number), *(",".join(map(str, each)) for each in numbers)])


def read_position(event_id: str | None) -> EventPosition | None:
    """Return the position in a `Last-Event-ID`, or None if it is none."""
    try:
        last, *answers = (event_id or "").split(";", MAX_ANSWERS + 1)
        positions = [AnswerPosition(*_numbers(each)) for each in answers]
        return EventPosition(_number(last), tuple(positions))
    except (ValueError, TypeError):
        return None


def _numbers(text: str) -> tuple[int, TextPosition, TextPosition]:
    number, content, checksum, reasoning, reasoning_checksum = map(_number, text.split(","))
    return number, TextPosition(content, checksum), TextPosition(reasoning, reasoning_checksum)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError(text)
    return int(text)
