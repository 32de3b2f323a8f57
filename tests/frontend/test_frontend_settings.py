import pytest

from settings import PROJECT_ROOT, Settings


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_environment_beats_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_BASE_URL", raising=False)
    assert (
        f"\nAPI_BASE_URL={load(monkeypatch).api_base_url}\n" in (PROJECT_ROOT / ".env").read_text()
    )
    settings = load(monkeypatch, API_BASE_URL=" http://api:8000/ ")
    assert settings.api_base_url == "http://api:8000"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_BASE_URL", "  "),
        ("SMOLCHAT_API_KEY", "a secret\nX: y"),
        ("API_BASE_URL", "localhost:8000"),
        ("API_BASE_URL", "http://user:secret@localhost"),
        ("API_BASE_URL", "http://localhost:0"),
        ("API_BASE_URL", "http://[::1:8000"),
        ("API_BASE_URL", "http://::1:8000"),
        ("API_BASE_URL", "http://[::1]8000"),
        ("SMOLCHAT_API_PUBLIC_URL", "chat.example"),
        ("SMOLCHAT_LOCAL_HOSTS", "http://api"),
        ("SMOLCHAT_LOCAL_HOSTS", "api,engine:12434"),
        ("SMOLCHAT_LOCAL_HOSTS", "[::1]:8000"),
        ("SMOLCHAT_LOCAL_HOSTS", "api;engine"),
        ("SMOLCHAT_LOCAL_HOSTS", "api engine"),
        ("SMOLCHAT_LOCAL_HOSTS", "172.17.0.0/16"),
        ("SMOLCHAT_LOCAL_HOSTS", "*"),
        ("SMOLCHAT_LOCAL_HOSTS", "[1]"),
        ("SMOLCHAT_ALLOWED_HOSTS", "http://chat.example"),
        ("SMOLCHAT_ALLOWED_HOSTS", "chat.example:8501"),
        ("SMOLCHAT_ALLOWED_HOSTS", "*.example"),
        ("SMOLCHAT_LOCAL_HOSTS", '["api"'),
        ("API_BASE_URL", "http://localhost/?key=1"),
        ("SMOLCHAT_API_LOOK_SECONDS", "0"),
        ("SMOLCHAT_API_SILENCE_SECONDS", "long"),
    ],
)
def test_invalid_value_stops_the_start_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(SystemExit) as error:
        load(monkeypatch, **{variable: value})
    assert variable in str(error.value)
    assert "secret" not in str(error.value)


def test_key_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(load(monkeypatch, SMOLCHAT_API_KEY="hunter2"))


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("", ()),
        (" , ", ()),
        ("api, Engine.,172.17.0.1,", ("api", "engine", "172.17.0.1")),
        ('["api", "Engine"]', ("api", "engine")),
        ("[FD00:0::7],::1,::ffff:10.0.0.1", ("fd00::7", "::1", "10.0.0.1")),
        ("fe80::1%25eth0,[fe80::1%eth1]", ("fe80::1%eth0", "fe80::1%eth1")),
    ],
)
def test_local_hosts_are_names_and_addresses_from_commas_or_json(
    value: str, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(monkeypatch, SMOLCHAT_LOCAL_HOSTS=value)
    assert settings.local_hosts == hosts
    assert settings.effective_values()["SMOLCHAT_LOCAL_HOSTS"] == list(hosts)


@pytest.mark.parametrize(
    ("value", "hosts"),
    [("", ()), ("api, Chat.Example.", ("api", "chat.example")), ('["*", "[::1]"]', ("*", "::1"))],
)
def test_allowed_hosts_are_names_or_any(
    value: str, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(monkeypatch, SMOLCHAT_ALLOWED_HOSTS=value).allowed_hosts == hosts


def test_ipv6_address_of_the_api_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, API_BASE_URL="http://[::1]:8122/")
    assert settings.api_base_url == "http://[::1]:8122"
    settings = load(monkeypatch, API_BASE_URL="http://[fe80::1%25eth0]:8122")
    assert settings.api_base_url == "http://[fe80::1%eth0]:8122"
