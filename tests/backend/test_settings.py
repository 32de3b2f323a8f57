"""Settings of the API: precedence, validation, and secrets."""

from pathlib import Path

import pytest

from backend.settings import PROJECT_ROOT, Settings


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_environment_overrides_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_ID")
    assert f"\nMODEL_ID={load(monkeypatch).model_id}\n" in (PROJECT_ROOT / ".env").read_text()
    assert load(monkeypatch, MODEL_ID="ai/other").model_id == "ai/other"


def test_read_timeout_allows_five_minutes_of_model_loading() -> None:
    assert Settings(model_id="m").read_timeout_seconds >= 310


def test_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, MODEL_ID="", SMOLCHAT_MAX_TOKENS="")
    assert settings.model_id.startswith("ai/")
    assert settings.max_tokens == 1024


def test_trailing_slash_of_the_base_url_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DMR_BASE_URL=" http://172.17.0.1:12434/v1/ ")
    assert settings.dmr_base_url == "http://172.17.0.1:12434/v1"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://[::1]:12434/v1/", "http://[::1]:12434/v1"),
        ("http://[fe80::1%25eth0]:12434/v1", "http://[fe80::1%eth0]:12434/v1"),
        ("http://[fe80::1%eth0]:12434/v1", "http://[fe80::1%eth0]:12434/v1"),
        ("http://[::ffff:127.0.0.1]:12434", "http://[::ffff:127.0.0.1]:12434"),
    ],
)
def test_ipv6_base_url_is_accepted_with_its_zone_as_sockets_write_it(
    value: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(monkeypatch, DMR_BASE_URL=value).dmr_base_url == url


def test_database_url_may_have_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://user:a%40b@[::1]:5432/name"
    settings = load(monkeypatch, SMOLCHAT_DATABASE_URL=url)
    assert settings.database_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODEL_ID", " "),
        ("MODEL_ID", "ai/smollm2\nX: y"),
        ("DMR_API_KEY", "a secret\nX: y"),
        ("DMR_API_KEY", "kéy"),
        ("DMR_BASE_URL", "localhost:12434"),
        ("DMR_BASE_URL", "ftp://localhost"),
        ("DMR_BASE_URL", "http://"),
        ("DMR_BASE_URL", "http://user:secret@localhost"),
        ("DMR_BASE_URL", "http://localhost:99999"),
        ("DMR_BASE_URL", "http://localhost/v1?key=1"),
        ("DMR_BASE_URL", "http://host..name"),
        ("DMR_BASE_URL", "http://ex\x01ample"),
        ("DMR_BASE_URL", f"http://{'x' * 70}"),
        ("DMR_BASE_URL", "http://[::1:8000/v1"),
        ("DMR_BASE_URL", "http://::1:8000/v1"),
        ("DMR_BASE_URL", "http://[::1]8000/v1"),
        ("DMR_BASE_URL", "http://[127.0.0.1]:8000/v1"),
        ("SMOLCHAT_DATABASE_URL", "mysql://user:secret@host/name"),
        ("SMOLCHAT_DATABASE_URL", "postgresql://user:secret@host:port/name"),
        ("SMOLCHAT_DATABASE_URL", "postgresql://user:secret@[::1/name"),
        ("SMOLCHAT_DATABASE_URL", "postgresql://user:a@secret@host/name"),
        ("SMOLCHAT_DATABASE_URL", "postgresql://"),
        ("SMOLCHAT_MAX_TOKENS", "0"),
        ("SMOLCHAT_MAX_TOKENS", "99999999999"),
        ("SMOLCHAT_CONNECT_TIMEOUT_SECONDS", "1e400"),
        ("SMOLCHAT_MAX_TOKENS", "many"),
        ("SMOLCHAT_READ_TIMEOUT_SECONDS", "-1"),
        ("SMOLCHAT_API_KEY", "a secret\nX: y"),
        ("SMOLCHAT_MAX_BODY_BYTES", "8 MiB"),
        ("SMOLCHAT_ALLOWED_HOSTS", "http://api"),
        ("SMOLCHAT_ALLOWED_HOSTS", "api:8000"),
        ("SMOLCHAT_ALLOWED_HOSTS", '["api"'),
        ("SMOLCHAT_ALLOWED_HOSTS", "[1]"),
        ("SMOLCHAT_ALLOWED_HOSTS", "[::1]:8000"),
        ("SMOLCHAT_ALLOWED_HOSTS", "[::1"),
        ("SMOLCHAT_ALLOWED_HOSTS", "['api']"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "http://[::1"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "http://[::x]:8501"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "http://notes.example:99999"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "http://notes.example:0"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "*"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "null"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "notes.example"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "https://notes.example/page"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "https://user@notes.example"),
    ],
)
def test_invalid_value_exits_with_the_variable_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        load(monkeypatch, **{variable: value})
    assert variable in str(exit_info.value)
    assert "secret" not in str(exit_info.value)


@pytest.mark.parametrize("value", ["api, Notes.Example.", '["api", "notes.example"]'])
def test_allowed_hosts_are_parsed_from_commas_or_json(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(monkeypatch, SMOLCHAT_ALLOWED_HOSTS=value)
    assert settings.allowed_hosts == ("api", "notes.example")


@pytest.mark.parametrize("value", ["::1,api", "[::1], api", '["[::1]", "api"]', "fd00::1,api"])
def test_allowed_hosts_may_be_ipv6_addresses(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, SMOLCHAT_ALLOWED_HOSTS=value).allowed_hosts[1] == "api"


def test_allowed_origins_are_normalized_as_browsers_send_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = "https://Notes.Example:443/,http://localhost:5173,http://[::1]:80,http://[0:0::1]:8501"
    settings = load(monkeypatch, SMOLCHAT_ALLOWED_ORIGINS=value)
    origins = (
        "https://notes.example",
        "http://localhost:5173",
        "http://[::1]",
        "http://[::1]:8501",
    )
    assert settings.allowed_origins == origins


@pytest.mark.parametrize("name", ["dmr_api_key", "api_key"])
def test_api_keys_are_not_in_the_repr(name: str) -> None:
    assert "hunter2" not in repr(Settings(model_id="m", **{name: "hunter2"}))  # type: ignore[arg-type]


REMOTE = "https://models.example/v1"


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example"}, None),
        ({"ALL_PROXY": "https://[2001:db8::1]:3128"}, "https://[2001:db8::1]:3128"),
        ({"ALL_PROXY": "socks5://other", "HTTPS_PROXY": "http://own"}, "http://own"),
        ({"https_proxy": "http://lower", "HTTPS_PROXY": "http://upper"}, "http://lower"),
        ({"HTTPS_PROXY": "http://upper", "no_proxy": ".example"}, None),
        ({"HTTPS_PROXY": "socks5://x", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "socks5://x", "DMR_BASE_URL": "https://localhost"}, None),
        ({"HTTPS_PROXY": " ", "ALL_PROXY": "http://all"}, "http://all"),
    ],
)
def test_proxy_is_that_of_the_model_servers_scheme(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(monkeypatch, **({"DMR_BASE_URL": REMOTE} | environment))
    found = settings.model_server_proxy
    assert (found and found.get_secret_value()) == proxy


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value", ["socks5://me:secret@proxy:1080", "socks5h://p", "ftp://p", "http://p:x", "http://"]
)
def test_proxy_of_another_kind_is_rejected_if_the_model_server_needs_it(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        load(monkeypatch, DMR_BASE_URL=REMOTE, **{variable: value})
    message = str(exit_info.value)
    assert f"Invalid setting {variable.upper()}: must be a proxy such as http" in message
    assert "SOCKS is not supported" in message
    assert "secret" not in message


def test_proxy_may_be_set_in_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DMR_BASE_URL={REMOTE}\nHTTPS_PROXY=http://me:pw@proxy:1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.delenv("DMR_BASE_URL")
    settings = Settings.load()
    assert settings.model_server_proxy
    assert settings.effective_values()["HTTPS_PROXY"] == "http://proxy:1"
    assert "pw" not in repr(settings)
