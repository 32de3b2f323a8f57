"""What the images are made of: the parts of the lock, and that both kinds of machine have them."""

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
MACHINES = ("x86_64", "aarch64")  # amd64 and arm64 to Docker
GLIBC_MINOR = 41  # of Debian trixie, on which the images stand


def locked(name: str) -> dict[str, str]:
    """Give the requirements of a lock, each with its hashes."""
    blocks = re.split(r"\n(?=\S)", (LOCKS / f"{name}.txt").read_text().strip())
    return {block.split(" \\\n")[0]: block for block in blocks}


def pinned(name: str) -> set[tuple[str, ...]]:
    """Give each version with its hashes; where it is wanted may differ."""
    return {
        (line.split(" ;")[0], *re.findall(r"sha256:\w+", block))
        for line, block in locked(name).items()
    }


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_the_lock_of_an_image_is_a_part_of_what_is_tested(program: str) -> None:
    assert pinned(program) <= pinned("dev")


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_the_lock_of_an_image_has_what_the_program_names(program: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[\[<>=;]", line)[0] for line in extras["optional-dependencies"][program]}
    assert named <= {requirement.split("==")[0] for requirement in locked(program)}


def wheels_of(*locks: Path) -> dict[str, list[tuple[str, str]]]:
    """Ask the index which wheels there are of what is locked: their names and hashes."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--no-deps"]
    command += ["--python-version", "3.13", "--format", "pylock.toml", *map(str, locks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        package["name"]: [
            (Path(urlsplit(wheel["url"]).path).name, wheel["hashes"]["sha256"])
            for wheel in package.get("wheels", [])
        ]
        for package in tomllib.loads(done.stdout)["packages"]
    }


def tags_of(machine: str) -> set[Tag]:
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 4, -1)]
    platforms += [f"manylinux2014_{machine}"]
    with_abi = cpython_tags((3, 13), platforms=platforms)
    return {*with_abi, *compatible_tags((3, 13), interpreter="cp313", platforms=platforms)}


@pytest.mark.docker
def test_everything_locked_has_a_locked_wheel_for_both_machines() -> None:
    names = ("api", "ui", "engine", "model")
    requirements = {line: block for name in names for line, block in locked(name).items()}
    found = wheels_of(*(LOCKS / f"{name}.txt" for name in names))
    assert found.keys() == {line.split("==")[0] for line in requirements}
    text = "".join(requirements.values())
    for machine in MACHINES:
        tags = tags_of(machine)
        for package, wheels in found.items():
            fitting = [digest for wheel, digest in wheels if parse_wheel_filename(wheel)[3] & tags]
            assert any(f"sha256:{digest}" in text for digest in fitting), (package, machine)
