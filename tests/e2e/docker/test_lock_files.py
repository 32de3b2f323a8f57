"""The lock files of the images: subsets of the tested versions, available on both platforms."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from tests.support.paths import ROOT

LOCKS = ROOT / "locks"
MACHINES = ("x86_64", "aarch64")  # amd64 and arm64 in Docker
_OTHER_PLATFORM = re.compile(r"sys_platform == '(?:win32|emscripten)'")
GLIBC_MINOR = 41  # of Debian trixie, the base of the images


def locked(name: str) -> dict[str, str]:
    """Return the requirements of a lock file, each with its hashes."""
    blocks = re.split(r"\n(?=\S)", (LOCKS / f"{name}.txt").read_text().strip())
    return {block.split(" \\\n")[0]: block for block in blocks}


def pinned_versions(name: str) -> set[tuple[str, ...]]:
    """Return each version with its hashes, without its environment markers."""
    return {
        (line.split(" ;")[0], *re.findall(r"sha256:\w+", block))
        for line, block in locked(name).items()
    }


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_image_lock_is_a_subset_of_the_tested_lock(program: str) -> None:
    assert pinned_versions(program) <= pinned_versions("dev")


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_image_lock_contains_the_declared_dependencies(program: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=;]", line)[0] for line in extras["optional-dependencies"][program]}
    assert names <= {requirement.split("==")[0] for requirement in locked(program)}


def wheels_of(*locks: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the names and hashes of the index's wheels for the locked packages."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--no-deps"]
    command += ["--python-version", "3.13", "--format", "pylock.toml", *map(str, locks)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        package["name"]: [
            (Path(urlsplit(wheel["url"]).path).name, wheel["hashes"]["sha256"])
            for wheel in package.get("wheels", [])
        ]
        for package in tomllib.loads(process.stdout)["packages"]
    }


def tags_of(machine: str) -> set[Tag]:
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 4, -1)]
    platforms += [f"manylinux2014_{machine}"]
    cpython = cpython_tags((3, 13), platforms=platforms)
    return {*cpython, *compatible_tags((3, 13), interpreter="cp313", platforms=platforms)}


@pytest.mark.docker
def test_every_locked_package_has_a_locked_wheel_for_both_platforms() -> None:
    names = ("api", "ui", "engine", "model")
    requirements = {line: block for name in names for line, block in locked(name).items()}
    wheels_by_package = wheels_of(*(LOCKS / f"{name}.txt" for name in names))
    assert wheels_by_package.keys() == {line.split("==")[0] for line in requirements}
    text = "".join(requirements.values())
    others = {line.split("==")[0] for line in requirements if _OTHER_PLATFORM.search(line)}
    for machine in MACHINES:
        tags = tags_of(machine)
        for package, wheels in wheels_by_package.items():
            if package in others:
                continue
            matching = [digest for wheel, digest in wheels if parse_wheel_filename(wheel)[3] & tags]
            assert any(f"sha256:{digest}" in text for digest in matching), (package, machine)
