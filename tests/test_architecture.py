"""The shape of the project: which package may import which."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PROGRAMS = ("backend", "frontend", "engine", "launcher")
# From left to right: a package imports only from a row further right, or from itself.
BACKEND_ROWS = (
    {"main"},
    {
        "agui",
        "chat",
        "structured",
        "conversations",
        "presets",
        "models",
        "monitoring",
        "tools",
        "files",
        "web",
    },
    {"state"},
    {"completions"},
    {"images"},
    {"model_server", "json_schema", "database", "http"},
    {"protocol", "json_values", "json_limits", "content_folder"},
    {"errors", "settings"},
    {"proxies"},
)
FRONTEND_ROWS = (
    {"app", "navigation", "app_pages"},
    {"chat", "structured", "tools", "status"},
    {"receipts", "files"},
    {"controls"},
    {"components"},
    {"api", "sanitize", "security"},
    {"settings", "version", "strict_json", "index_page"},
)
# The imports within one row that are allowed.
ARROWS = {
    ("agui", "chat"),
    ("chat", "conversations"),
    ("chat", "files"),
    ("chat", "tools"),
    ("tools", "files"),
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import: write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


@pytest.mark.parametrize(
    ("program", "prefix", "rows"),
    [("backend", "backend.", BACKEND_ROWS), ("frontend", "", FRONTEND_ROWS)],
)
def test_imports_point_one_way(program: str, prefix: str, rows: tuple[set[str], ...]) -> None:
    row = {package: number for number, packages in enumerate(rows) for package in packages}
    for path in (ROOT / program).rglob("*.py"):
        package = path.relative_to(ROOT / program).parts[0].removesuffix(".py")
        if package == "__init__":
            continue
        names = {name.removeprefix(prefix) for name in imports(path) if name.startswith(prefix)}
        for other in {name.split(".")[0] for name in names} & row.keys() - {package}:
            is_allowed = row[package] < row[other] or (package, other) in ARROWS
            assert is_allowed, f"{path} imports {other}"


@pytest.mark.parametrize("program", [*PROGRAMS, "benchmarks"])
def test_programs_share_only_http(program: str) -> None:
    others = set(PROGRAMS) - {program}
    allowed = {"engine.settings"} if program == "launcher" else set()
    for path in (ROOT / program).rglob("*.py"):
        foreign = {name for name in imports(path) if name.split(".")[0] in others}
        assert all(any(name.startswith(one) for one in allowed) for name in foreign), path


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_settings_read_the_environment(program: str) -> None:
    for path in (ROOT / program).rglob("*.py"):
        if path.name not in {"settings.py", "processes.py"}:
            assert not re.search(r"\benviron\b|\bgetenv", path.read_text()), path


def test_model_id_is_set_in_one_file() -> None:
    programs = [path for name in PROGRAMS for path in (ROOT / name).rglob("*.py")]
    top_level = [path for path in ROOT.iterdir() if path.is_file() and path.suffix != ".md"]
    holders = [path.name for path in programs + top_level if b"ai/smollm2" in path.read_bytes()]
    assert holders == [".env"]
