"""The way from the page to the model server over IPv6, on real sockets."""

import asyncio
import ipaddress
import socket

import httpx
import psutil
import pytest

from api.chat_chunk import Chunk
from api.client import ApiClient
from api.errors import ApiError
from backend.settings import Settings
from benchmarks.processes import free_port
from settings import Settings as PageSettings
from tests.support.api_server import running_api
from tests.support.fake_model_server import running_fake_model_server
from tests.support.requests import HELLO, MODEL_ID, STREAMED


def link_local_address() -> str | None:
    """Return a link-local IPv6 address of this machine with its zone, or None."""
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            name, _, zone = address.address.partition("%")
            if zone and address.family == socket.AF_INET6:
                return address.address if ipaddress.ip_address(name).is_link_local else None
    return None


def stream(page: ApiClient) -> list[Chunk]:
    async def collect() -> list[Chunk]:
        return [chunk async for chunk in page.stream_chat(STREAMED)]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("host", "url_host"),
    [("::1", "::1"), ("::1", "0:0:0:0:0:0:0:1"), ("127.0.0.1", "::ffff:127.0.0.1")],
)
def test_page_api_and_model_server_talk_over_ipv6(host: str, url_host: str) -> None:
    with running_fake_model_server(host=host) as server:
        server_url = f"http://[{url_host}]:{server.port}"
        settings = Settings(model_id=MODEL_ID, dmr_base_url=server_url)
        with running_api(settings, host="::1") as url:
            page = ApiClient(PageSettings(api_base_url=url))
            model_server = page.health().model_server
            assert (model_server.state, model_server.url) == ("ready", server_url)
            assert page.status().settings["DMR_BASE_URL"] == server_url
            assert stream(page)[-1].choices[0].finish_reason
            same_origin = httpx.post(f"{url}/chat", json=HELLO, headers={"Origin": url})
            other_origin = httpx.post(f"{url}/chat", json=HELLO, headers={"Origin": "http://[::2]"})
    assert (same_origin.status_code, other_origin.status_code) == (200, 403)


def test_zone_of_an_address_is_used_however_it_is_written() -> None:
    address = link_local_address()
    if address is None:
        pytest.skip("this machine has no link-local IPv6 address")
    with running_fake_model_server(host=address) as server:
        escaped = address.replace("%", "%25")
        for host in (address, escaped):
            settings = Settings(model_id=MODEL_ID, dmr_base_url=f"http://[{host}]:{server.port}/v1")
            with running_api(settings, host=address) as url:
                assert "%25" in url
                page = ApiClient(PageSettings(api_base_url=url))
                assert page.health().model_server.state == "ready"
                assert stream(page)[-1].choices[0].finish_reason


def test_unreachable_ipv6_addresses_are_named_as_they_were_set() -> None:
    server_url = f"http://[::1]:{free_port()}/v1"
    api_port = free_port()
    page = ApiClient(PageSettings(api_base_url=f"http://[::1]:{api_port}"))
    with pytest.raises(
        ApiError, match=rf"Can't reach the API at http://\[::1\]:{api_port}"
    ) as error:
        page.health()
    assert f"`uvicorn backend.main:app --port {api_port} --host ::1`" in error.value.next_step
    with running_api(Settings(model_id=MODEL_ID, dmr_base_url=server_url), host="::1") as url:
        health = ApiClient(PageSettings(api_base_url=url)).health()
    assert health.model_server.state == "unreachable"
    assert f"Can't reach the model server at {server_url}." in health.model_server.message
