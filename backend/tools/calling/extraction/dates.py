"""Find the dates in a question, and format them as a parameter's description asks."""

import re
from dataclasses import dataclass

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b"
_YEAR = r"(?:,?\s+(?:of\s+)?(?P<year>\d{4})\b)?"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})\b",
        r"\b(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})\b",
        rf"\b{_MONTH}\s+{_DAY}{_YEAR}",
        rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}",
    )
)
_FORMAT = re.compile(
    r"\b(?:Y{4}|M{2}|D{2})[-/.](?:M{2}|D{2})[-/.](?:Y{4}|M{2}|D{2})\b", re.IGNORECASE
)
ISO_FORMAT = "YYYY-MM-DD"


@dataclass(frozen=True)
class DateInText:
    """A date, and where it is in the question."""

    year: int
    month: int
    day: int
    start: int
    end: int

    def format(self, date_format: str) -> str:
        """Return the date in a format such as YYYY-MM-DD."""
        text = date_format.upper().replace("YYYY", f"{self.year:04}")
        return text.replace("MM", f"{self.month:02}").replace("DD", f"{self.day:02}")


def find_dates(question: str) -> list[DateInText]:
    """Return the dates in order; one without a year takes the year of another."""
    matches: list[re.Match[str]] = []
    for pattern in _PATTERNS:
        matches += [
            match
            for match in pattern.finditer(question)
            if not any(
                match.start() < other.end() and other.start() < match.end() for other in matches
            )
        ]
    years = [int(match["year"]) for match in matches if match["year"]]
    dates = [_read(match, years) for match in matches] if years else []
    return sorted((date for date in dates if date), key=lambda date: date.start)


def date_format(description: str) -> str:
    """Return the format that a description asks for, or an empty string."""
    match = _FORMAT.search(description)
    return match[0].upper() if match else ""


def _read(match: re.Match[str], years: list[int]) -> DateInText | None:
    name, day = match["month"].lower(), int(match["day"])
    month = int(name) if name.isdigit() else _MONTHS.index(name[:3]) + 1
    if month > 12 and name.isdigit():  # 31/12/2024
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    year = int(match["year"]) if match["year"] else years[0]
    return DateInText(year, month, day, match.start(), match.end())
