"""The documentation names what exists: files, functions and settings."""

import ast
import re
from pathlib import Path

import pytest

from backend.settings import Settings as ApiSettings
from docs import imports
from tests.support.paths import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
PROGRAMS = "backend|frontend|engine|launcher|benchmarks|tests|docs|web"


def defined_names(path: Path) -> set[str]:
    """Return the functions, classes, methods (`Class.method`) and module variables of a file."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            names |= {f"{node.name}.{getattr(member, 'name', '')}" for member in ast.walk(node)}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_the_documentation_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    paths = re.findall(rf"`((?:{PROGRAMS})/[\w./-]*)(?:::[\w.]+)?`", text)
    links = re.findall(r"\]\((?!http|#)([^)#]+)", text)
    missing = [path for path in paths if not (ROOT / path).exists()]
    missing += [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_names_in_the_documentation_exist(page: str) -> None:
    names = re.findall(r"`([\w./-]+\.py)::([\w.]+)`", (ROOT / page).read_text())
    assert [pair for pair in names if pair[1] not in defined_names(ROOT / pair[0])] == []


def test_import_graph_is_up_to_date() -> None:
    page = imports.PAGE.read_text()
    assert page == imports.render(page), "run: python docs/imports.py"


def test_readme_lists_every_setting_of_the_api() -> None:
    settings = ApiSettings(model_id="some/model").effective_values()
    readme = (ROOT / "README.md").read_text()
    assert [name for name in settings if f"`{name}`" not in readme] == []
