"""The sources of the engine's settings, and its messages for invalid ones."""

import pytest

from engine.settings import Settings


def load(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **options: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load(**options)


def test_command_line_beats_environment_beats_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(
        monkeypatch,
        {"SMOLCHAT_ENGINE_PORT": "1111", "SMOLCHAT_ENGINE_CONTEXT": "2222", "MODEL_ID": "ai/other"},
        port="3333",
    )
    assert (settings.port, settings.context, settings.parallel) == (3333, 2222, 4)
    assert settings.model_id == "ai/other"


def test_model_id_comes_from_the_env_file() -> None:
    assert Settings.load().model_id == "ai/smollm2:latest"


def test_default_address_is_docker_model_runners_on_loopback() -> None:
    settings = Settings.load()
    assert settings.url == "http://localhost:12434/engines/llama.cpp/v1"
    assert settings.host == "127.0.0.1"


def test_url_is_reachable_by_clients() -> None:
    assert Settings.load(host="::", port=1).url.startswith("http://localhost:1/")
    assert Settings.load(host="fd00::1", port=1).url.startswith("http://[fd00::1]:1/")
    assert Settings.load(host="::1", port=1).url.startswith("http://[::1]:1/")
    assert Settings.load(host="[::1]", port=1).url.startswith("http://[::1]:1/")
    assert Settings.load(host="::ffff:127.0.0.1", port=1).url.startswith("http://localhost:1/")
    assert Settings.load(host="fe80::1%eth0", port=1).url.startswith("http://[fe80::1%25eth0]:1/")


@pytest.mark.parametrize(
    ("host", "url", "is_target"),
    [
        ("127.0.0.1", "http://LOCALHOST:1234", True),
        ("0.0.0.0", "http://127.0.0.1:1234/v1", True),
        ("::1", "http://[::1]:1234", True),
        ("::1", "http://localhost:1234", False),
        ("::1", "http://[0:0::1]:1234", True),
        ("0::1", "http://[::1]:1234", True),
        ("[::1]", "http://[::1]:1234", True),
        ("::", "http://[::1]:1234", True),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]:1234", True),
        ("::ffff:7f00:1", "http://127.0.0.1:1234", True),
        ("fe80::1%eth0", "http://[FE80::1%25eth0]:1234", True),
        ("fe80::1%eth0", "http://[fe80::1%25eth1]:1234", False),
        ("127.0.0.1", "http://[::1]:1234", False),
        ("127.0.0.1", "http://localhost:1235", False),
        ("127.0.0.1", "https://localhost:1234", False),
        ("127.0.0.1", "http://localhost", False),
        ("192.0.2.1", "http://192.0.2.1:1234", True),
    ],
)
def test_is_target_compares_the_address_of_dmr_base_url(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str, *, is_target: bool
) -> None:
    settings = load(monkeypatch, {"DMR_BASE_URL": url}, host=host, port="1234")
    assert settings.is_target == is_target


def test_override_hint_makes_the_engine_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    hint = Settings.load(host="::1", port=1234).override_hint
    environment = dict(setting.split("=") for setting in hint.split())
    assert load(monkeypatch, environment).is_target


def test_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
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
        ("DMR_BASE_URL", "http://[::1:12434/v1"),
        ("DMR_BASE_URL", "http://::1:12434/v1"),
        ("DMR_BASE_URL", "http://[::1]12434/v1"),
        ("DMR_BASE_URL", "http://@localhost:12434"),
        ("DMR_BASE_URL", "http://localhost/v1?key=secret"),
        ("SMOLCHAT_ENGINE_HOST", "http://127.0.0.1"),
        ("SMOLCHAT_ENGINE_HOST", "127.0.0.1:12434"),
        ("SMOLCHAT_ENGINE_HOST", "[::1]:12434"),
        ("SMOLCHAT_ENGINE_HOST", "[localhost]"),
        ("SMOLCHAT_ENGINE_HOST", "no such host"),
        ("SMOLCHAT_ENGINE_HOST", "\u200b"),
        ("SMOLCHAT_ENGINE_HOST", "127.0.0.1,::1"),
        ("SMOLCHAT_ENGINE_CONTEXT", "9999999999999"),
        ("SMOLCHAT_ENGINE_PORT", "0"),
        ("SMOLCHAT_ENGINE_PORT", "70000"),
        ("SMOLCHAT_ENGINE_CONTEXT", "much"),
        ("SMOLCHAT_ENGINE_THREADS", "0"),
        ("SMOLCHAT_ENGINE_PARALLEL", "-1"),
    ],
)
def test_invalid_value_stops_the_start_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(SystemExit) as error:
        load(monkeypatch, {variable: value})
    assert variable in str(error.value)
    assert "secret" not in str(error.value)


def test_invalid_option_is_named_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as error:
        load(monkeypatch, {"SMOLCHAT_ENGINE_THREADS": "none"}, port="x")
    option, variable = str(error.value).splitlines()
    assert option.startswith("Invalid option --port")
    assert variable.startswith("Invalid setting SMOLCHAT_ENGINE_THREADS")
