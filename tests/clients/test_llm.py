"""Simon Willison's `llm`, as a person runs it, against the API."""

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
    """Run `llm` for a person who has set nothing but our model."""
    ours = {"api_base": f"{api_url}/v1", "supports_schema": True}
    models = [
        {"model_id": "smol", "model_name": "ai/smollm2:latest", **ours},
        {"model_id": "gone", "model_name": "ai/nosuch", **ours},
    ]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models))  # JSON is YAML
    environment = {
        "HOME": str(tmp_path),
        "LLM_USER_PATH": str(tmp_path),
        # The default model's weights come in a plugin that wants a binding that is not there.
        "LLM_LOAD_PLUGINS": "",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llm", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(("flags", "is_stream"), [([], True), (["--no-stream"], False)])
def test_an_answer_and_what_it_cost(
    llm: Llm, model_server: FakeModelServer, flags: list[str], is_stream: bool
) -> None:
    told = llm("-m", "smol", "--usage", *flags, "-o", "temperature", "0.2", QUESTION)
    assert told.stdout == ANSWER + "\n"
    assert "Token usage: 22 input, 24 output" in told.stderr
    assert told.returncode == 0
    [asked] = model_server.chats
    assert asked.body["stream"] is is_stream
    assert asked.body["temperature"] == 0.2


def test_a_conversation_goes_on(llm: Llm, model_server: FakeModelServer) -> None:
    llm("-m", "smol", "-s", "You answer briefly.", QUESTION)
    assert llm("-c", "And three more.").returncode == 0
    assert model_server.chats[1].body["messages"] == [
        {"role": "system", "content": "You answer briefly."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "And three more."},
    ]


@pytest.mark.parametrize(
    ("flags", "case"), [([], "json-schema-stream"), (["--no-stream"], "json-schema")]
)
def test_an_answer_in_the_form_of_a_schema(
    llm: Llm, model_server: FakeModelServer, flags: list[str], case: str
) -> None:
    model_server.replies.append(replay(case))
    told = llm("-m", "smol", "--schema", "name, age int", *flags, "Ann is 31 years old.")
    assert json.loads(told.stdout)["age"] == 31
    asked = model_server.chats[0].body["response_format"]["json_schema"]["schema"]
    assert asked["properties"] == {"name": {"type": "string"}, "age": {"type": "integer"}}


@pytest.mark.parametrize("flags", [[], ["--no-stream"]])
def test_a_model_that_is_not_there(
    llm: Llm, model_server: FakeModelServer, flags: list[str]
) -> None:
    model_server.replies.append(replay("err-model-not-pulled"))
    told = llm("-m", "gone", *flags, QUESTION)
    assert "docker model pull" in told.stderr
    assert "Traceback" not in told.stderr
    assert told.returncode == 1


def test_a_model_server_that_dies_in_its_answer(llm: Llm, model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    told = llm("-m", "smol", QUESTION)
    assert told.stdout.strip()
    assert "before the response was complete" in told.stderr
    assert told.returncode == 1
