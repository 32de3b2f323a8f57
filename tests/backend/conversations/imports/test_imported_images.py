"""Images in chats of other programs, and in exports of SmolChat."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server
from tests.support.images import data_url, encoded, image_part, picture, png_url
from tests.support.imports import import_chat
from tests.support.requests import complete

Json = dict[str, Any]
URL = png_url()


def open_webui(message: Json) -> Json:
    question = {"id": "q", "parentId": None, "role": "user", "content": "See"} | message
    return {"title": "A chat", "chat": {"history": {"messages": {"q": question}}}}


def llama_cpp(extra: Json) -> Json:
    message = {"id": "q", "role": "user", "content": "See", "extra": [extra]}
    return {"conv": {"id": "c", "name": "A chat", "currNode": "q"}, "messages": [message]}


@pytest.mark.parametrize(
    ("exported", "name"),
    [
        (open_webui({"files": [{"type": "image", "url": URL}]}), ""),
        (open_webui({"files": [{"type": "image", "name": "a.png", "url": URL}]}), "a.png"),
        (open_webui({"content": [{"type": "text", "text": "See"}, image_part(URL)]}), ""),
        (open_webui({"content": f"See ![plot]({URL})"}), "plot"),
        (llama_cpp({"type": "IMAGE", "name": "b.png", "base64Url": URL}), "b.png"),
        ([{"role": "user", "content": [image_part(URL, "c.png")]}], "c.png"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": URL}]}], ""),
    ],
)
def test_image_with_its_data_is_a_part_of_the_message(exported: Any, name: str) -> None:
    [message] = import_chat(exported).messages
    assert (message.parts or [])[-1] == image_part(URL) | {"smolchat": {"name": name}}
    assert "base64" not in message.content


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def client(
    server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    settings = settings_for(server, data_dir=tmp_path_factory.mktemp("data"))
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def import_file(client: httpx.Client, exported: Any) -> Json:
    response = client.post("/conversations/import", json=exported)
    assert response.is_success, response.text
    return dict(response.json())


def parts_of(client: httpx.Client, imported: Json) -> list[Json]:
    conversation = client.get(f"/conversations/{imported['data'][0]['id']}").json()
    return list(conversation["messages"][0]["parts"])


def test_imported_image_is_stored_without_its_metadata(client: httpx.Client) -> None:
    large = encoded(picture(300, 200), "WEBP", lossless=True)  # is read in a process of its own
    imported = import_file(
        client, open_webui({"files": [{"type": "image", "url": data_url(large, "image/webp")}]})
    )
    assert imported["left_out"] == []
    text, image = parts_of(client, imported)
    assert text == {"type": "text", "text": "See"}
    assert image["smolchat"]["changes"] == ["converted from WebP to PNG"]
    assert client.get(image["image_url"]["url"]).headers["content-type"] == "image/png"


def test_damaged_image_is_left_out_and_the_chat_imported(client: httpx.Client) -> None:
    broken = {"type": "image", "name": "cat.png", "url": "data:image/png;base64,AAAA"}
    imported = import_file(client, open_webui({"files": [broken]}))
    [left_out] = imported["left_out"]
    assert left_out["imported"]
    assert left_out["reason"].startswith("Not imported: an image “cat.png” that cannot be read")
    assert parts_of(client, imported)[1] == {"type": "text", "text": "[image: cat.png]"}


def test_image_hidden_by_escapes_is_not_read_in_the_api_itself(client: httpx.Client) -> None:
    text = httpx.Request("POST", "http://x", json=open_webui({"files": [{"url": URL}]})).content
    hidden = text.replace(b"data:image", b"d\\u0061ta:image")
    response = client.post(
        "/conversations/import", content=hidden, headers={"Content-Type": "application/json"}
    )
    assert "is not written as a data: URL" in response.json()["left_out"][0]["reason"]


@pytest.fixture
def chat(client: httpx.Client) -> str:
    """A stored chat with an image."""
    chat = str(client.post("/conversations", json={}).json()["id"])
    photo = data_url(encoded(picture(60, 50, seed=4), "JPEG"), "image/jpeg")
    content = [{"type": "text", "text": "See"}, image_part(photo, "<i>*cat*</i>.jpg")]
    body = {"messages": [{"role": "user", "content": content}]}
    complete(client, body | {"smolchat": {"conversation": chat}})
    return chat


def export(client: httpx.Client, chat: str, file_format: str) -> httpx.Response:
    return client.get(f"/conversations/{chat}/export", params={"format": file_format})


def test_json_export_holds_the_image_and_is_imported_as_it_was(
    client: httpx.Client, chat: str
) -> None:
    exported = export(client, chat, "json").json()
    part = exported["conversations"][0]["messages"][0]["parts"][1]
    assert part["image_url"]["url"].startswith("data:image/jpeg;base64,")
    original = client.get(f"/conversations/{chat}").json()["messages"][0]["parts"]
    assert parts_of(client, import_file(client, exported)) == original
    everything = client.get("/conversations/export").text
    assert part["image_url"]["url"] in everything


def test_html_export_shows_the_image_and_markdown_names_it(client: httpx.Client, chat: str) -> None:
    page = export(client, chat, "html")
    assert '<img src="data:image/jpeg;base64,' in page.text
    assert 'alt="&lt;i&gt;*cat*&lt;/i&gt;.jpg"' in page.text
    assert "img-src data:" in page.headers["content-security-policy"]
    assert "Attachments" not in page.text
    text = export(client, chat, "markdown").text
    assert r"*\[image: \<i\>\*cat\*\</i\>.jpg\]*" in text
    assert "base64" not in text
