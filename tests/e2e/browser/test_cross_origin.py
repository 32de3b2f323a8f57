"""Cross-origin requests from a browser: other sites can read and use neither API nor page."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import ARGUMENTS, CHROMIUM
from tests.support.api_server import running_api
from tests.support.browser import needs_chromium, running_page, wait_until_rendered
from tests.support.fake_model_server import FakeModelServer

pytestmark = needs_chromium

REBINDING = "--host-resolver-rules=MAP evil.test 127.0.0.1"
# Sends every kind of request that a page can; returns the bodies that it could read.
ATTACK = """async url => {
    const body = JSON.stringify({messages: [{role: 'user', content: 'Hello'}]});
    const bodies = [];
    const types = ['text/plain', 'application/json', 'application/x-www-form-urlencoded'];
    for (const mode of ['cors', 'no-cors'])
        for (const type of types) {
            const options = {method: 'POST', mode, body, headers: {'Content-Type': type}};
            try { bodies.push(await (await fetch(url + '/chat', options)).text()); } catch {}
        }
    for (const mode of ['cors', 'no-cors'])
        try { bodies.push(await (await fetch(url + '/models', {mode})).text()); } catch {}
    navigator.sendBeacon(url + '/chat', new Blob([body], {type: 'text/plain'}));
    await new Promise(done => {
        const image = Object.assign(new Image(), {src: url + '/models'});
        image.onload = image.onerror = done;
    });
    return bodies.filter(text => text);
}"""
SUBMIT_FORM = """url => {
    const form = Object.assign(document.createElement('form'), {
        method: 'POST', action: url + '/chat', enctype: 'text/plain'});
    const field = document.createElement('input');
    field.name = '{"messages": [{"role": "user", "content": "Hello"}], "x": "';
    field.value = '"}';
    form.append(field);
    document.body.append(form);
    form.submit();
}"""

# Opens a WebSocket as the page's own script does; returns whether it was accepted.
OPEN_WEBSOCKET = """url => new Promise(done => {
    const socket = new WebSocket(url, ['streamlit']);
    socket.onopen = () => done(true);
    socket.onerror = () => done(false);
})"""


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title><body>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_site() -> Iterator[int]:
    """Serve an empty page and yield its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as server:
        thread = Thread(target=partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def rebinding_browser(browser: Browser) -> Iterator[Browser]:
    arguments = [*ARGUMENTS, REBINDING]
    with browser.browser_type.launch(executable_path=CHROMIUM, args=arguments) as other_browser:
        yield other_browser


@pytest.fixture
def page(rebinding_browser: Browser) -> Iterator[Page]:
    with rebinding_browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize("site", ["127.0.0.1", "localhost", "evil.test"])
def test_other_origin_can_neither_read_nor_trigger_anything(
    site: str, page: Page, api_url: str, model_server: FakeModelServer
) -> None:
    with other_site() as port:
        page.goto(f"http://{site}:{port}/")
        assert page.evaluate(ATTACK, api_url) == []
        with page.expect_navigation():
            page.evaluate(SUBMIT_FORM, api_url)
    assert "origin_not_allowed" in page.content()
    assert not model_server.requests


def test_dns_rebinding_is_rejected(page: Page, api_url: str, model_server: FakeModelServer) -> None:
    url = f"http://evil.test:{urlsplit(api_url).port}"
    page.goto(f"{url}/docs")
    assert "host_not_allowed" in page.content()
    bodies = page.evaluate(ATTACK, url)
    assert bodies
    assert all("host_not_allowed" in body for body in bodies)
    assert not model_server.requests


def test_allowed_origin_can_read(page: Page, model_server: FakeModelServer) -> None:
    with other_site() as port:
        origin = f"http://localhost:{port}"
        settings = Settings(
            model_id="m",
            dmr_base_url=model_server.base_url,
            allowed_origins=[origin],  # type: ignore[arg-type]
        )
        with running_api(settings) as url:
            page.goto(f"{origin}/")
            bodies = page.evaluate(ATTACK, url)
    assert any("chat.completion" in body for body in bodies)
    assert model_server.chat_requests


def test_api_docs_can_call_the_api(page: Page, api_url: str, model_server: FakeModelServer) -> None:
    page.goto(f"{api_url}/docs")
    page.get_by_text("/chat", exact=True).wait_for()
    assert any("chat.completion" in body for body in page.evaluate(ATTACK, api_url))
    assert model_server.chat_requests


def test_rebinding_site_cannot_read_the_page(page: Page, api_url: str) -> None:
    chat = httpx.post(f"{api_url}/conversations", json={"title": "Secret title"}).json()
    with running_page(api_url) as url:
        page.goto(f"{url}/?chat={chat['id']}")  # the user's own page shows it
        wait_until_rendered(page)
        assert "Secret title" in page.inner_text("body")
        rebound = f"http://evil.test:{urlsplit(url).port}"
        for path in ("/", f"/?chat={chat['id']}", "/_stcore/host-config", "/app/static/copy.js"):
            page.goto(rebound + path)
            assert "SMOLCHAT_ALLOWED_HOSTS" in page.inner_text("body")
            assert "Secret title" not in page.content()
        assert not page.evaluate(OPEN_WEBSOCKET, f"{rebound.replace('http', 'ws')}/_stcore/stream")


@pytest.mark.parametrize("site", ["127.0.0.1", "localhost", "evil.test"])
def test_other_site_cannot_open_the_websocket_of_the_page(
    site: str, page: Page, api_url: str
) -> None:
    with running_page(api_url) as url, other_site() as port:
        address = f"{url.replace('http', 'ws')}/_stcore/stream"
        page.goto(f"http://{site}:{port}/")
        assert not page.evaluate(OPEN_WEBSOCKET, address)
        page.goto(url)
        assert page.evaluate(OPEN_WEBSOCKET, address)
