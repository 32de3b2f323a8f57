"""The file that is read, as the modules in `formats/` see it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.files.reading.limits import ReadLimits


def _ignore(_share: float) -> None:
    pass


@dataclass(frozen=True)
class Source:
    path: Path
    name: str  # as it was uploaded
    limits: ReadLimits = field(default_factory=ReadLimits)
    report: Callable[[float], None] = _ignore  # is told the share that has been read

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def extension(self) -> str:
        return Path(self.name).suffix.lower()
