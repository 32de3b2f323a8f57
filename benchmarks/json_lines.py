"""Reads files with a JSON value in each line."""

import json
from pathlib import Path
from typing import Any


def read_json_lines(path: Path | None) -> list[dict[str, Any]]:
    """Return the values of a file; none if there is no path."""
    lines = path.read_text().splitlines() if path else []
    return [json.loads(line) for line in lines if line.strip()]
