"""Simon Willison's `llm` command, unmodified, against the API."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fake_model_server import FakeModelServer, replay

QUESTION = "Name three colours."
ANSWER = (
    "The three main colours in the world of colour are red, blue, and green. However, they are "
    "often used to"
)
Llm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def llm(api_url: str, tmp_path: Path) -> Llm:
    """Return a function that runs `llm` with no configuration besides the API's models."""
    settings = {"api_base": f"{api_url}/v1", "supports_schema": True}
    models = [
        {"model_id": "smol", "model_name": "ai/smollm2:latest", **settings},
        {"model_id": "gone", "model_name": "ai/nosuch", **settings},
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models))  # JSON is YAML
    environment = {
        "HOME": str(tmp_path),
        "LLM_USER_PATH": str(tmp_path),
        # The package of the default model's weights is a plugin whose binding is not installed.
        "LLM_LOAD_PLUGINS": "",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(("flags", "is_stream"), [([], True), (["--no-stream"], False)])
def test_prompt_prints_the_response_and_its_usage(
    llm: Llm, model_server: FakeModelServer, flags: list[str], is_stream: bool
) -> None:
    result = llm("-m", "smol", "--usage", *flags, "-o", "temperature", "0.2", QUESTION)
    assert result.stdout == ANSWER + "\n"
    assert "Token usage: 22 input, 24 output" in result.stderr
    assert result.returncode == 0
    [request] = model_server.chat_requests
    assert request.body["stream"] is is_stream
    assert request.body["temperature"] == 0.2


def test_continued_conversation_sends_its_messages(llm: Llm, model_server: FakeModelServer) -> None:
    llm("-m", "smol", "-s", "You answer briefly.", QUESTION)
    assert llm("-c", "And three more.").returncode == 0
    assert model_server.chat_requests[1].body["messages"] == [
        {"role": "system", "content": "You answer briefly."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "And three more."},
    ]


@pytest.mark.parametrize(
    ("flags", "case"), [([], "json-schema-stream"), (["--no-stream"], "json-schema")]
)
def test_schema_is_sent_and_output_matches_it(
    llm: Llm, model_server: FakeModelServer, flags: list[str], case: str
) -> None:
    model_server.replies.append(replay(case))
    result = llm("-m", "smol", "--schema", "name, age int", *flags, "Ann is 31 years old.")
    assert json.loads(result.stdout)["age"] == 31
    schema = model_server.chat_requests[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"name": {"type": "string"}, "age": {"type": "integer"}}


@pytest.mark.parametrize("flags", [[], ["--no-stream"]])
def test_missing_model_is_reported_with_the_pull_command(
    llm: Llm, model_server: FakeModelServer, flags: list[str]
) -> None:
    model_server.replies.append(replay("err-model-not-pulled"))
    result = llm("-m", "gone", *flags, QUESTION)
    assert "docker model pull" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 1


def test_lost_connection_is_reported_after_the_partial_response(
    llm: Llm, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    result = llm("-m", "smol", QUESTION)
    assert result.stdout.strip()
    assert "before the response was complete" in result.stderr
    assert result.returncode == 1
