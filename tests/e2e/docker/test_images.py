"""The images: what is in them, how large they are, how fast a change of our code is built."""

import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker_stack import BASE, PROJECT, Stack, copied_project, stack_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(500)]

SERVICES = ("api", "ui", "engine")
MB = 1_000_000
MOST_MB_OVER_BASE = {"api": 140, "ui": 520, "engine": 300}
REBUILD_SECONDS = 5.0
# What Debian's package leaves in the engine's image.
LIBGOMP = ("/usr/lib/", "/var/lib/dpkg/info/libgomp1", "/var/lib/apt/ext", "/var/log/apt/")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded house has all three images; it is built here."""
    folder = tmp_path_factory.mktemp("images")
    with stack_of(copied_project(folder), folder, ["compose.embedded.yaml"]) as stack:
        stack.compose("build", "--quiet")
        yield stack


def own_name(service: str) -> str:
    return f"{PROJECT}-{service}"


def image(stack: Stack, name: str) -> dict[str, Any]:
    [found] = json.loads(stack.docker("image", "inspect", name))
    described: dict[str, Any] = found
    return described


def own_image(stack: Stack, service: str) -> dict[str, Any]:
    return image(stack, own_name(service))


@cache
def all_files(stack: Stack, name: str) -> frozenset[str]:
    find = "find / -xdev -type f"
    run = ["run", "--rm", "--user", "0", "--entrypoint", "sh", name]
    return frozenset(stack.docker(*run, "-c", find).splitlines())


def files(stack: Stack, service: str) -> frozenset[str]:
    """Say what an image adds to its base."""
    return all_files(stack, own_name(service)) - all_files(stack, BASE)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_small(service: str, stack: Stack) -> None:
    over_base = (own_image(stack, service)["Size"] - image(stack, BASE)["Size"]) / MB
    print(f"The image {service} is {over_base:.0f} MB over its base.")
    assert over_base <= MOST_MB_OVER_BASE[service]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_how_it_is(service: str, stack: Stack) -> None:
    config = own_image(stack, service)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "python", "-I"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"].startswith("SmolChat")
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("service", "ours"), [("api", "backend"), ("ui", "frontend"), ("engine", "engine")]
)
def test_an_image_has_its_own_program_and_no_other(service: str, ours: str, stack: Stack) -> None:
    in_app = [path for path in files(stack, service) if path.startswith("/app/")]
    assert in_app
    assert all(path.startswith(f"/app/{ours}/") for path in in_app)


@pytest.mark.parametrize("service", SERVICES)
def test_everything_is_compiled(service: str, stack: Stack) -> None:
    found = files(stack, service)
    sources = [Path(path) for path in found if path.endswith(".py")]
    for path in sources:
        assert str(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc") in found


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_no_secret_no_cache_and_no_test(service: str, stack: Stack) -> None:
    for path in files(stack, service):
        parts = Path(path).parts
        assert "tests" not in parts
        assert not {".env", ".env.docker", ".cache", ".git", "house"} & set(parts)
        assert "junk" not in path
        assert path.startswith(("/app/", "/venv/", *LIBGOMP))
    layers = stack.docker("history", "--no-trunc", own_name(service))
    assert "KEY" not in layers


def test_the_apis_image_has_no_engine_and_no_weights(stack: Stack) -> None:
    found = " ".join(files(stack, "api"))
    assert "uvicorn" in found
    assert not any(name in found for name in ("llama", ".gguf", "streamlit"))
    assert ".gguf" in " ".join(files(stack, "engine"))


def built_anew(stack: Stack, service: str, file: str) -> float:
    """Change a file of ours and say how long it takes until it is in the image."""
    source = stack.directory / file
    source.write_text(f"{source.read_text()}\n# {time.time()}\n")
    before = own_image(stack, service)["Id"]
    began = time.monotonic()
    stack.compose("build", "--quiet", service)
    took = time.monotonic() - began
    assert own_image(stack, service)["Id"] != before
    return took


@pytest.mark.parametrize(
    ("service", "file"), [("api", "backend/main.py"), ("ui", "frontend/app.py")]
)
def test_a_change_of_our_code_is_built_at_once(service: str, file: str, stack: Stack) -> None:
    took = min(built_anew(stack, service, file) for _ in range(2))  # the machine may be busy
    print(f"Building {service} anew took {took:.1f} s.")
    assert took <= REBUILD_SECONDS
