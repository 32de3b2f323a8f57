"""Decide which requests go through a proxy: none to local hosts, and none to hosts in NO_PROXY."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

_LOCAL_SUFFIXES = (".localhost", ".local", ".docker.internal")
# Loopback, "this host", link-local and private addresses; a proxy leads out of these networks.
_LOCAL_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/32",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    )
)


def is_proxied(url: str, no_proxy: str) -> bool:
    """Return True if requests for `url` go through a proxy, if there is one.

    `no_proxy` has hosts, each with its subdomains, IP addresses, networks and `*`, as curl, Go and
    Python read them; each may have a port.
    """
    parts = httpx.URL(url)
    host = parts.host.lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    rules = re.split(r"[\s,]+", no_proxy.lower())
    return not (_is_local(host) or any(_matches(rule, host, port) for rule in rules if rule))


def _is_local(host: str) -> bool:
    if address := _address(host):
        return any(address in network for network in _LOCAL_NETWORKS)
    # Without a dot: a name that only the own network resolves, such as a service of Compose.
    return "." not in host or host.endswith(_LOCAL_SUFFIXES)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def _matches(rule: str, host: str, port: int) -> bool:
    """Return True if one entry of NO_PROXY names the host."""
    match = re.fullmatch(r"(\[.*\]|[^:]*)(?::(\d+))?", rule)
    name, rule_port = match.groups() if match else (rule, None)  # no match: an IPv6 address
    if rule_port and int(rule_port) != port:
        return False
    if name == "*":
        return True
    if address := _address(host):
        try:
            return address in ip_network(name.strip("[]"), strict=False)
        except ValueError:
            return False
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
