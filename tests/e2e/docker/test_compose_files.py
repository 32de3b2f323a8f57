"""Checks of the Compose files and Dockerfiles by Compose and hadolint, before anything is built."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.docker_stack import Stack, copied_project, stack_of
from tests.support.paths import ROOT

pytestmark = pytest.mark.docker

EMBEDDED = "compose.embedded.yaml"
SCALED = ("compose.yaml", "compose.postgres.yaml", "docs/compose.scaled.yaml")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with stack_of(copied_project(tmp_path), tmp_path) as stack:
        yield stack


@pytest.mark.parametrize("dockerfile", ["Dockerfile.api", "Dockerfile.ui"])
def test_hadolint_reports_nothing(dockerfile: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [hadolint, ROOT / dockerfile], capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.returncode) == ("", 0)


def test_model_id_is_inserted_everywhere(stack: Stack) -> None:
    environment = stack.directory / ".env"
    text = environment.read_text().replace("MODEL_ID=ai/smollm2:latest", "MODEL_ID=ai/other:1B")
    environment.write_text(text)
    config = stack.config()
    models = "models:\n  llm:\n    model: ai/other:1B\n    context_size: 8192\n"
    assert models in stack.compose("config")  # missing in the JSON
    for service in ("api", "ui"):
        assert config["services"][service]["environment"]["MODEL_ID"] == "ai/other:1B"
    binding = config["services"]["api"]["models"]["llm"]
    assert binding == {"endpoint_var": "DMR_BASE_URL", "model_var": "MODEL_ID"}


def test_embedded_file_needs_no_model_runner(stack: Stack) -> None:
    stack.files = (EMBEDDED,)
    config = stack.config()
    assert config["services"].keys() == {"engine", "api", "ui"}
    assert "models:" not in stack.compose("config")
    assert "ports" not in config["services"]["engine"]


def test_scaled_stack_is_reachable_only_at_the_balancer(stack: Stack) -> None:
    stack.files = SCALED
    services = stack.config()["services"]
    assert "ports" not in services["api"]
    assert services["ui"]["environment"]["API_BASE_URL"] == "http://balancer:8000"
    assert {port["host_ip"] for port in services["balancer"]["ports"]} == {"127.0.0.1"}


@pytest.mark.parametrize("file", ["compose.yaml", EMBEDDED])
def test_page_waits_for_the_api_and_only_the_api_has_extra_hosts(file: str, stack: Stack) -> None:
    stack.files = (file,)
    services = stack.config()["services"]
    assert services["ui"]["depends_on"]["api"]["condition"] == "service_healthy"
    extra_hosts = {name: service.get("extra_hosts", []) for name, service in services.items()}
    assert extra_hosts.pop("api") == ["host.docker.internal=host-gateway"]
    assert not any(extra_hosts.values())


@pytest.mark.parametrize("file", ["compose.yaml", EMBEDDED])
def test_settings_are_read_from_the_files_in_the_readme(file: str, stack: Stack) -> None:
    stack.files = (file,)
    with (stack.directory / ".env.docker").open("a") as settings:
        settings.write("SMOLCHAT_ALLOWED_HOSTS=api,chat.example\n")
    with (stack.directory / ".env").open("a") as environment:
        environment.write("SMOLCHAT_API_PUBLIC_URL=https://chat.example/api\n")
        environment.write("SMOLCHAT_ENGINE_CONTEXT=4096\n")
    services = stack.config()["services"]
    for name in ("api", "ui"):
        assert services[name]["environment"]["SMOLCHAT_ALLOWED_HOSTS"] == "api,chat.example"
    assert services["ui"]["environment"]["SMOLCHAT_API_PUBLIC_URL"] == "https://chat.example/api"
    if file == EMBEDDED:
        assert services["engine"]["environment"]["SMOLCHAT_ENGINE_CONTEXT"] == "4096"


SECRETS = ("DMR_API_KEY", "SMOLCHAT_API_KEY", "SMOLCHAT_DATABASE_URL", "OTHER_KEY")


@pytest.mark.parametrize(
    ("files", "holders"),
    [
        (["compose.yaml"], {"DMR_API_KEY": {"api"}, "SMOLCHAT_API_KEY": {"api", "ui"}}),
        ([EMBEDDED], {"DMR_API_KEY": {"api"}, "SMOLCHAT_API_KEY": {"api", "ui"}}),
        (
            [EMBEDDED, "compose.postgres.yaml"],
            {"PGPASSWORD": {"api"}, "SMOLCHAT_DATABASE_URL": {"api"}},
        ),
    ],
)
def test_secrets_reach_only_the_services_that_need_them(
    files: Sequence[str], holders: dict[str, set[str]], stack: Stack
) -> None:
    with (stack.directory / ".env.docker").open("a") as settings:
        settings.writelines(f"{name}=hunter2\n" for name in SECRETS)
    stack.files = tuple(files)
    services = stack.config()["services"]
    for secret, names in holders.items():
        found = {name for name in services if services[name]["environment"].get(secret)}
        assert found == names, secret
    if EMBEDDED in files:
        assert "hunter2" not in str(services["engine"])


def test_public_api_url_defaults_to_the_published_port(stack: Stack) -> None:
    variables = stack.config()["services"]["ui"]["environment"]
    assert variables["SMOLCHAT_API_PUBLIC_URL"] == stack.api


@pytest.mark.parametrize("files", [(), ("compose.yaml", "compose.override.yaml")])
def test_override_of_the_scaling_guide_replaces_model_runner(
    files: tuple[str, ...], stack: Stack
) -> None:
    guide = (ROOT / "docs/scaling.md").read_text()
    [override] = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (stack.directory / "compose.override.yaml").write_text(override)
    stack.files = files
    api = stack.config()["services"]["api"]
    assert api["environment"]["DMR_BASE_URL"] == "http://gpu.example:8000/v1"
    assert "models" not in api
    assert "\nmodels:" not in stack.compose("config")


def test_postgres_replaces_the_database_file(stack: Stack) -> None:
    for file in ("compose.yaml", EMBEDDED):
        stack.files = (file, "compose.postgres.yaml")
        services = stack.config()["services"]
        assert services["postgres"]["image"] == "postgres:17"
        assert "ports" not in services["postgres"]
        variables = services["api"]["environment"]
        assert variables["SMOLCHAT_DATABASE_URL"] == "postgresql://smolchat@postgres/smolchat"
        assert variables["PGPASSWORD"] == services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    del stack.environment["SMOLCHAT_DATABASE_PASSWORD"]
    result = stack.try_compose("config", "--quiet")
    assert result.returncode
    assert "write a line such as SMOLCHAT_DATABASE_PASSWORD=" in result.stderr


@pytest.mark.parametrize("files", [["compose.yaml"], [EMBEDDED], SCALED[:2]])
def test_every_container_is_hardened_and_limited(files: Sequence[str], stack: Stack) -> None:
    stack.files = tuple(files)
    for service in stack.config()["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] in ("10s", "30s")
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}


@pytest.mark.parametrize("file", ["compose.yaml", EMBEDDED])
def test_unset_model_is_reported_with_what_to_do(file: str, stack: Stack) -> None:
    (stack.directory / ".env").write_text("")
    stack.files = (file,)
    result = stack.try_compose("config", "--quiet")
    assert result.returncode
    assert "MODEL_ID is missing a value: write a line such as" in result.stderr
    assert "into the file .env" in result.stderr


@pytest.mark.parametrize(
    ("correct", "misspelt", "message"),
    [
        ("read_only:", "readonly:", "readonly"),
        ("endpoint_var:", "endpoint_vr:", "endpoint_vr"),
        ("context_size:", "contextsize:", "contextsize"),
        ("models: {llm:", "models: {lm:", "lm"),
        ("{api: {condition", "{ap: {condition", "ap"),
        (".env.docker", ".env.dokcer", ".env.dokcer"),
    ],
)
def test_misspelt_key_is_named_in_the_error(
    correct: str, misspelt: str, message: str, stack: Stack
) -> None:
    file = stack.directory / "compose.yaml"
    assert correct in file.read_text()
    file.write_text(file.read_text().replace(correct, misspelt))
    result = stack.try_compose("config", "--quiet")
    assert result.returncode
    assert message in result.stderr


def has_containers(stack: Stack) -> bool:
    return bool(stack.compose("ps", "--all", "--quiet").strip())


def test_nothing_is_started_without_the_model_plugin(tmp_path: Path) -> None:
    project = copied_project(tmp_path)
    with stack_of(project, tmp_path, has_model_runner=False) as stack:
        result = stack.try_compose("up", "--detach", "--no-build", "--pull", "never")
        assert result.returncode
        assert "'models' support requires Docker Model plugin" in result.stderr
        assert not has_containers(stack)
