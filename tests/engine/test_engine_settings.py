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
    assert Settings.load(host="::1", port=1).url.startswith("http://[::1]:1/")


@pytest.mark.parametrize(
    ("host", "url", "is_meant"),
    [
        ("127.0.0.1", "http://LOCALHOST:1234", True),
        ("0.0.0.0", "http://127.0.0.1:1234/v1", True),
        ("::1", "http://[::1]:1234", True),
        ("::1", "http://localhost:1234", False),
        ("127.0.0.1", "http://[::1]:1234", False),
        ("127.0.0.1", "http://localhost:1235", False),
        ("127.0.0.1", "https://localhost:1234", False),
        ("127.0.0.1", "http://localhost", False),
        ("192.0.2.1", "http://192.0.2.1:1234", True),
    ],
)
def test_it_knows_whether_it_is_meant(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str, *, is_meant: bool
) -> None:
    settings = load(monkeypatch, {"DMR_BASE_URL": url}, host=host, port="1234")
    assert settings.is_target == is_meant


def test_what_is_advised_makes_it_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    advised = Settings.load(host="::1", port=1234).override_hint
    environment = dict(setting.split("=") for setting in advised.split())
    assert load(monkeypatch, environment).is_target


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("MODEL_ID", "DMR_BASE_URL", "SMOLCHAT_ENGINE_HOST", "SMOLCHAT_ENGINE_MODEL")
    settings = load(monkeypatch, dict.fromkeys(names, ""))
    assert (settings.model_id, settings.host) == ("ai/smollm2:latest", "127.0.0.1")
    assert settings.model is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODEL_ID", " \n"),
        ("MODEL_ID", "one\ntwo"),
        ("DMR_BASE_URL", "localhost:12434"),
        ("DMR_BASE_URL", "http://user:secret@localhost"),
        ("DMR_BASE_URL", "http://localhost:99999"),
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
