"""Draws the imports between packages as Mermaid graphs into docs/imports.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "imports.md"
# The prefix of each program's absolute imports.
PROGRAMS = {"backend": "backend.", "frontend": ""}

Edge = tuple[str, str]


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_imports(program: str, prefix: str) -> set[Edge]:
    folder = ROOT / program
    package_of = {path: path.relative_to(folder).parts[0] for path in folder.rglob("*.py")}
    packages = {package.removesuffix(".py") for package in package_of.values()} - {"__init__"}
    edges = set()
    for path, package in package_of.items():
        for name in imported_names(path):
            target = name.removeprefix(prefix).split(".")[0]
            if name.startswith(prefix) and target in packages:
                edges.add((package.removesuffix(".py"), target))
    return {(source, target) for source, target in edges if source != target}


def reachable(source: str, edges: set[Edge]) -> set[str]:
    targets = {end for start, end in edges if start == source}
    return targets.union(*(reachable(target, edges) for target in targets))


def mermaid(edges: set[Edge]) -> str:
    """Draw the edges; those that a longer path implies are left out."""
    lines = [
        f"    {source} --> {target}"
        for source, target in sorted(edges)
        if target not in reachable(source, edges - {(source, target)})
    ]
    return "\n".join(["```mermaid", "graph LR", *lines, "```"])


def render(page: str) -> str:
    """Return the page with the graph of each program between its two markers."""
    for program, prefix in PROGRAMS.items():
        start, end = f"<!-- {program} imports -->", f"<!-- end of {program} imports -->"
        graph = f"{start}\n{mermaid(package_imports(program, prefix))}\n{end}"
        page = re.sub(f"{start}.*?{end}", graph, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
