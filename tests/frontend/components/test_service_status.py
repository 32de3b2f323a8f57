"""What the page says of where words go."""

import pytest

from api.client import ApiClient
from components import service_status
from settings import Settings


@pytest.mark.parametrize(
    ("urls", "remote"),
    [
        (["http://localhost:8501", "http://127.0.0.1:8000", "http://[::1]:12434/v1"], ""),
        (["http://localhost:8501", "http://api:8000", "http://engine:12434/v1"], ""),
        (["http://localhost:8501", "http://API:8000", "http://172.17.0.1:12434/v1"], ""),
        (["http://localhost:8501", "http://api:8000", "http://gpu.example/v1"], "gpu.example"),
        (["http://localhost:8501", "http://balancer:8000"], "balancer"),
        (["http://192.168.0.7:8501", "http://api:8000"], "192.168.0.7"),
        (["http://localhost:8501", "http://localhost.evil.test"], "localhost.evil.test"),
        (["http://localhost@evil.test/v1"], "evil.test"),
    ],
)
def test_words_stay_here_only_where_every_address_is_this_computer(
    urls: list[str], remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(local_hosts="api, Engine,172.17.0.1,")
    monkeypatch.setattr(service_status, "api", lambda: ApiClient(settings))
    told = f"What you type is sent to **{remote}**."
    stays = "Runs on **this computer**. Nothing you type leaves it."
    assert service_status.privacy_notice(*urls) == (told if remote else stays)


def test_a_service_of_that_name_elsewhere_is_not_taken_for_this_computer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_status, "api", lambda: ApiClient(Settings()))
    for host in ("api", "engine", "balancer", "172.17.0.1", ""):
        assert (
            service_status.privacy_notice(f"http://{host}:8000")
            == f"What you type is sent to **{host}**."
        )
