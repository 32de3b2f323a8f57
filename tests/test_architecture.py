"""The shape of the house: who may import whom."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = ("backend", "frontend", "engine")
# From left to right: a module of the backend imports only from further right, or beside itself
# where it is not a route.
ROWS = [
    {"main"},
    {"guard", "access_log"},
    {"upgrade"},
    {
        "chat",
        "structured",
        "conversations",
        "presets",
        "model_list",
        "health",
        "status",
        "metrics",
        "docs_page",
    },
    {"delivery", "recording", "imports"},
    {"export", "strict_route", "probe"},
    {"json_route"},
    {"structuring"},
    {"drawing"},
    {"form"},
    {"dependencies"},
    {"capabilities"},
    {"vetting", "structured_types", "answering", "written"},
    {"measures"},
    {"model_request", "receipt", "choices", "line"},
    {"upstream"},
    {"model_server"},
    {"connections"},
    {"event_stream"},
    {"refusal", "base_url", "model_id"},
    {"response_types", "schema", "store"},
    {"settings", "errors", "openai_types"},
]
ROUTES = ROWS[2]


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relative to itself: write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def row(module: str) -> int:
    rows = [number for number, modules in enumerate(ROWS) if module in modules]
    assert rows, f"backend/{module}.py has no place in the order of imports: give it one here"
    return rows[0]


def backend_rooms() -> dict[str, list[Path]]:
    """Give the modules of the backend, and the families of them, each with its files."""
    rooms: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "backend").rglob("*.py")):
        room = path.relative_to(ROOT / "backend").parts[0].removesuffix(".py")
        rooms.setdefault(room, []).append(path)
    del rooms["__init__"]
    return rooms


ROOMS = backend_rooms()


@pytest.mark.parametrize("room", ROOMS)
def test_imports_in_the_backend_point_one_way(room: str) -> None:
    found = set().union(*map(imports, ROOMS[room]))
    used = {name.split(".")[1] for name in found if name.startswith("backend.")}
    for other in (used & ROOMS.keys()) - {room}:
        assert row(other) >= row(room), f"{room} imports {other}"
        assert not {room, other} <= ROUTES, f"route {room} imports route {other}"


def test_what_vets_and_narrows_schemas_knows_nothing_of_the_rest() -> None:
    for path in ROOMS["schema"]:
        of_ours = {name for name in imports(path) if name.startswith("backend.")}
        assert all(name.startswith("backend.schema.") for name in of_ours), path


@pytest.mark.parametrize("program", [*PROGRAMS, "benchmarks"])
def test_the_programs_share_only_http(program: str) -> None:
    others = set(PROGRAMS) - {program}
    for path in (ROOT / program).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & others, path


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_settings_read_the_environment(program: str) -> None:
    for path in (ROOT / program).rglob("*.py"):
        if path.name != "settings.py":
            assert not re.search(r"\benviron\b|\bgetenv", path.read_text()), path


def test_the_models_id_stands_in_one_file() -> None:
    programs = [path for name in PROGRAMS for path in (ROOT / name).rglob("*.py")]
    at_the_top = [path for path in ROOT.iterdir() if path.is_file() and path.suffix != ".md"]
    holders = [path.name for path in programs + at_the_top if b"ai/smollm2" in path.read_bytes()]
    assert holders == [".env"]
