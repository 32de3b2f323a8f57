"""A badge for each state, and the privacy notice: which addresses count as this computer."""

from typing import get_args

import pytest

from backend.monitoring.model_server_check import ModelServerState
from components.service_status import BADGES, privacy_notice
from sanitize.plain_text import plain_text

LOCAL_HOSTS = ("api", "engine", "172.17.0.1", "fd00::7")


@pytest.mark.parametrize(
    ("urls", "remote"),
    [
        (["http://localhost:8501", "http://127.0.0.1:8000", "http://[::1]:12434/v1"], ""),
        (["http://localhost:8501", "http://api:8000", "http://engine:12434/v1"], ""),
        (["http://localhost:8501", "http://API:8000", "http://172.17.0.1:12434/v1"], ""),
        (["http://localhost:8501", "http://api:8000", "http://gpu.example/v1"], "gpu.example"),
        (["http://localhost:8501", "http://balancer:8000"], "balancer"),
        (["http://localhost.:8501", "http://[0:0::1]:8000", "http://[::ffff:127.0.0.1]/v1"], ""),
        (["http://[::ffff:172.17.0.1]:8000", "http://[FD00:0::7]:12434/v1"], ""),
        (["http://[::1]:8501", "http://api.:8000", "http://127.1.2.3:12434/v1"], ""),
        (["http://[::1]:8501", "http://[fd00::8]:12434/v1"], "fd00::8"),
        (["http://[::1]:8501", "http://[::ffff:10.0.0.1]:12434/v1"], "10.0.0.1"),
        (["http://192.168.0.7:8501", "http://api:8000"], "192.168.0.7"),
        (["http://localhost:8501", "http://localhost.evil.test"], "localhost.evil.test"),
        (["http://localhost@evil.test/v1"], "evil.test"),
    ],
)
def test_notice_is_local_only_if_every_address_is_this_computer(
    urls: list[str], remote: str
) -> None:
    sent = f"What you type is sent to **{plain_text(remote)}**."
    local = "Runs on **this computer**. Nothing you type leaves it."
    assert privacy_notice(*urls, local_hosts=LOCAL_HOSTS) == (sent if remote else local)


@pytest.mark.parametrize("host", ["api", "engine", "balancer", "172.17.0.1", ""])
def test_service_names_are_remote_unless_configured_as_local(host: str) -> None:
    notice = privacy_notice(f"http://{host}:8000", local_hosts=())
    assert notice == f"What you type is sent to **{host}**."


def test_every_state_of_the_model_server_has_a_badge() -> None:
    assert {*get_args(ModelServerState), "api_down"} == set(BADGES)
