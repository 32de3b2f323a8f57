import pytest

from backend.settings import PROJECT_ROOT, Settings


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_ID")
    assert f"\nMODEL_ID={load(monkeypatch).model_id}\n" in (PROJECT_ROOT / ".env").read_text()
    assert load(monkeypatch, MODEL_ID="ai/other").model_id == "ai/other"


def test_a_model_that_loads_for_five_minutes_is_waited_for() -> None:
    assert Settings(model_id="m").read_timeout_seconds >= 310


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, MODEL_ID="", SMOLCHAT_MAX_TOKENS="")
    assert settings.model_id.startswith("ai/")
    assert settings.max_tokens == 1024


def test_a_slash_at_the_end_of_the_address_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DMR_BASE_URL=" http://172.17.0.1:12434/v1/ ")
    assert settings.dmr_base_url == "http://172.17.0.1:12434/v1"


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
        ("SMOLCHAT_ALLOWED_ORIGINS", "*"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "null"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "notes.example"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "https://notes.example/page"),
        ("SMOLCHAT_ALLOWED_ORIGINS", "https://user@notes.example"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_itself(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        load(monkeypatch, **{variable: value})
    assert variable in str(stop.value)
    assert "secret" not in str(stop.value)


@pytest.mark.parametrize("value", ["api, Notes.Example.", '["api", "notes.example"]'])
def test_hosts_are_listed_with_commas_or_as_json(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(monkeypatch, SMOLCHAT_ALLOWED_HOSTS=value)
    assert settings.allowed_hosts == ("api", "notes.example")


def test_origins_are_kept_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "https://Notes.Example:443/,http://localhost:5173,http://[::1]:80"
    settings = load(monkeypatch, SMOLCHAT_ALLOWED_ORIGINS=value)
    origins = ("https://notes.example", "http://localhost:5173", "http://[::1]")
    assert settings.allowed_origins == origins


@pytest.mark.parametrize("name", ["dmr_api_key", "api_key"])
def test_the_key_is_not_shown(name: str) -> None:
    assert "hunter2" not in repr(Settings(model_id="m", **{name: "hunter2"}))  # type: ignore[arg-type]
