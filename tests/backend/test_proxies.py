"""Which requests go through a proxy: the rules of local hosts and of NO_PROXY."""

import pytest

from backend.proxies import is_proxied


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "printer.local",
        "model-runner.docker.internal",
        "host.docker.internal",
        "engine",
        "gpu-box:8000",
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.17.0.1:12434",
        "172.31.255.255",
        "192.168.0.7",
        "169.254.1.1",
        "[::1]:12434",
        "[::]",
        "[::ffff:192.168.0.7]",
        "[fe80::1%eth0]:8000",
        "[fd00::2]",
    ],
)
def test_local_host_is_never_requested_through_a_proxy(host: str) -> None:
    assert not is_proxied(f"http://{host}/v1", "")
    assert not is_proxied(f"https://{host}/v1", "other.example")


@pytest.mark.parametrize(
    "host",
    [
        "models.example",
        "localhost.example",
        "docker.internal.example",
        "mylocal.example:8000",
        "203.0.113.5",
        "172.32.0.1",
        "11.0.0.1",
        "[2001:db8::1]:8000",
        "[::ffff:203.0.113.5]",
    ],
)
def test_other_host_is_requested_through_a_proxy(host: str) -> None:
    assert is_proxied(f"http://{host}/v1", "")


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://models.example", "*"),
        ("https://models.example", "models.example"),
        ("https://MODELS.example.", "Models.Example"),
        ("https://models.example", "example"),
        ("https://models.example", ".example"),
        ("https://models.example", "*.example"),
        ("https://a.models.example", "models.example."),
        ("https://models.example", "a.example,b.example , models.example"),
        ("https://models.example", "a.example models.example"),
        ("https://models.example", "models.example:443"),
        ("http://models.example:8000", "models.example:8000"),
        ("http://203.0.113.5:8000", "203.0.113.5"),
        ("http://203.0.113.5:8000", "203.0.113.5:8000"),
        ("http://203.0.113.5:8000", "203.0.113.0/24"),
        ("http://203.0.113.5:8000", "203.0.113.77/24"),
        ("http://[::ffff:203.0.113.5]", "203.0.113.5"),
        ("http://[2001:db8::1]:8000", "2001:DB8:0::1"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]:8000"),
        ("http://[2001:db8::1]:8000", "2001:db8::/32"),
    ],
)
def test_host_in_no_proxy_is_requested_without_a_proxy(url: str, no_proxy: str) -> None:
    assert not is_proxied(url, no_proxy)


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://models.example", ""),
        ("https://models.example", " , ,"),
        ("https://models.example", "."),
        ("https://models.example", "dels.example"),
        ("https://models.example", "a.models.example"),
        ("https://models.example", "models.example.com"),
        ("https://models.example", "models.example:80"),
        ("http://models.example:8000", "models.example:443"),
        ("http://203.0.113.5", "203.0.113"),
        ("http://203.0.113.5", "203.0.112.0/24"),
        ("http://203.0.113.5", "2001:db8::/32"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]:9000"),
        ("http://[2001:db8::1]:8000", "2001:db8::2"),
        ("https://models.example", "http://models.example"),
    ],
)
def test_no_proxy_covers_only_the_hosts_it_names(url: str, no_proxy: str) -> None:
    assert is_proxied(url, no_proxy)
