"""The privacy notice: which addresses count as this computer."""

import pytest

from components.service_status import privacy_notice

LOCAL_HOSTS = "api, Engine,172.17.0.1,"


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
def test_notice_is_local_only_if_every_address_is_this_computer(
    urls: list[str], remote: str
) -> None:
    sent = f"What you type is sent to **{remote}**."
    local = "Runs on **this computer**. Nothing you type leaves it."
    assert privacy_notice(*urls, local_hosts=LOCAL_HOSTS) == (sent if remote else local)


@pytest.mark.parametrize("host", ["api", "engine", "balancer", "172.17.0.1", ""])
def test_service_names_are_remote_unless_configured_as_local(host: str) -> None:
    notice = privacy_notice(f"http://{host}:8000", local_hosts="")
    assert notice == f"What you type is sent to **{host}**."
