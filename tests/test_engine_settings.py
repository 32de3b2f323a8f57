"""Where the engine's settings come from, and what it says of wrong ones."""

import pytest

from engine.settings import Settings


def load(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **given: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load(**given)


def test_the_command_line_beats_the_environment_beats_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(
        monkeypatch,
        {"SMOLCHAT_ENGINE_PORT": "1111", "SMOLCHAT_ENGINE_CONTEXT": "2222", "MODEL_ID": "ai/other"},
        port="3333",
    )
    assert (settings.port, settings.context, settings.parallel) == (3333, 2222, 4)
    assert settings.model_id == "ai/other"


def test_the_model_id_comes_from_the_file() -> None:
    assert Settings.load().model_id == "ai/smollm2:latest"


def test_it_listens_at_docker_model_runners_address_for_this_machine_only() -> None:
    settings = Settings.load()
    assert settings.url == "http://localhost:12434/engines/llama.cpp/v1"
    assert settings.host == "127.0.0.1"


def test_an_address_is_written_as_a_client_needs_it() -> None:
    assert Settings.load(host="::", port=1).url.startswith("http://localhost:1/")
    assert Settings.load(host="fd00::1", port=1).url.startswith("http://[fd00::1]:1/")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODEL_ID", ""),
        ("DMR_BASE_URL", "localhost:12434"),
        ("DMR_BASE_URL", "http://user:secret@localhost"),
        ("DMR_BASE_URL", "http://localhost:99999"),
        ("SMOLCHAT_ENGINE_HOST", ""),
        ("SMOLCHAT_ENGINE_PORT", "0"),
        ("SMOLCHAT_ENGINE_PORT", "70000"),
        ("SMOLCHAT_ENGINE_CONTEXT", "much"),
        ("SMOLCHAT_ENGINE_THREADS", "0"),
        ("SMOLCHAT_ENGINE_PARALLEL", "-1"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_itself(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        load(monkeypatch, {variable: value})
    assert variable in str(stop.value)
    assert "secret" not in str(stop.value)


def test_a_wrong_option_is_named_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as stop:
        load(monkeypatch, {"SMOLCHAT_ENGINE_THREADS": "none"}, port="x")
    option, variable = str(stop.value).splitlines()
    assert option.startswith("Wrong option --port")
    assert "SMOLCHAT_ENGINE_THREADS" in variable
