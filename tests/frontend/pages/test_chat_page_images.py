"""Images on the chat page: thumbnails, the whole image, and models that take none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import JSON, FakeModelServer, Reply, running_fake_model_server
from tests.support.images import data_url, encoded, image_part, picture, png_url, question
from tests.support.model_server_variants import LLAMA_SERVER
from tests.support.requests import complete
from tests.support.streamlit_app import ask, open_page, warnings

NAME = "<b>cat</b> ![x](http://evil.example/y) \u202egnp.png"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with running_fake_model_server(variant=LLAMA_SERVER) as server:
        yield server


@pytest.fixture(scope="module")
def url(server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("data")
    with running_api(settings_for(server, data_dir=folder, capability_seconds=0.01)) as url:
        yield url


@pytest.fixture
def vision(server: FakeModelServer) -> FakeModelServer:
    server.requests.clear()
    set_vision(server, takes_images=True)
    return server


def set_vision(server: FakeModelServer, *, takes_images: bool) -> None:
    properties = {"modalities": {"vision": takes_images, "audio": False}}
    server.routes["/props"] = Reply(200, JSON, [json.dumps(properties).encode()])


@pytest.fixture
def chat(vision: FakeModelServer, url: str) -> str:
    """A stored chat with two images, of which one was deleted."""
    assert vision
    with httpx.Client(base_url=url, timeout=30) as client:
        chat = str(client.post("/conversations", json={}).json()["id"])
        photo = data_url(encoded(picture(2100, 20), "JPEG"), "image/jpeg")
        body = {"messages": [question(image_part(photo, NAME))]}
        complete(client, body | {"smolchat": {"conversation": chat}})
    return chat


def open_chat(url: str, chat: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    page = open_page(url, monkeypatch)
    page.query_params["chat"] = chat
    page.run()
    assert not page.exception
    return page


def open_button(page: AppTest) -> Any:
    [button] = [each for each in page.button if (each.key or "").startswith("chat_image_open_")]
    return button


def test_thumbnail_opens_the_whole_image_and_says_what_was_changed(
    chat: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_chat(url, chat, monkeypatch)
    assert len(page.get("image")) == 1
    label = open_button(page).label
    assert r"\<b\>cat" in label
    assert r"\!\[x\]" in label
    assert "\u202e" not in label
    open_button(page).click().run()
    assert not page.exception
    assert len(page.get("image")) == 2
    texts = [each.value for each in page.text]
    assert "2048 x 20 pixels · scaled down from 2100 x 20" in texts


def test_follow_up_sends_the_image_again(
    chat: str, url: str, vision: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_chat(url, chat, monkeypatch)
    first = vision.chat_requests[-1].body["messages"]
    ask(page, "Which color is it?")
    assert not page.exception
    messages = vision.chat_requests[-1].body["messages"]
    sent = [each for each in messages if isinstance(each["content"], list)]
    assert sent == first


def test_page_says_before_sending_that_a_model_takes_no_images(
    server: FakeModelServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_vision(server, takes_images=False)
    page = open_page(url, monkeypatch).run()
    notes = [each.value for each in page.caption if "Small models" in each.value]
    assert notes == [
        "Small models make mistakes. Check important answers. This model takes no images."
    ]


def test_image_for_a_text_model_stays_with_its_question(
    server: FakeModelServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chat.question import Question  # noqa: PLC0415  # of the page's folder

    set_vision(server, takes_images=False)
    page = open_page(url, monkeypatch).run()
    server.requests.clear()
    entry = (None, Question("What is this?", [image_part(png_url(), "cat.png")]))
    page.session_state["chat_unsent"] = [entry]
    page.run()
    page.button(key="chat_unsent_send_0").click().run()
    assert not page.exception
    assert "This model takes no images" in warnings(page)
    assert not server.chat_requests
    assert [each.label for each in page.button if each.key == "chat_image_open_unsent_0_0"] == [
        "cat.png"
    ]
    set_vision(server, takes_images=True)
    page.button(key="chat_unsent_discard_0").click().run()
    assert not page.exception


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", encoded(picture())[:60]])
def test_image_that_cannot_be_shown_is_named(
    data: bytes, url: str, vision: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chat.question import Question  # noqa: PLC0415  # of the page's folder

    assert vision
    page = open_page(url, monkeypatch).run()
    part = image_part(data_url(data), NAME)
    page.session_state["chat_unsent"] = [(None, Question("", [part]))]
    page.run()
    assert not page.exception
    assert not page.get("image")
    assert open_button(page).disabled
