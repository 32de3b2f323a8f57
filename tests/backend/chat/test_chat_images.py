"""Images in chat requests, on their whole way to a scripted vision server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    JSON,
    FakeModelServer,
    Reply,
    ServerVariant,
    replay,
    running_fake_model_server,
)
from tests.support.images import (
    data_url,
    decoded,
    encoded,
    image_part,
    location_exif,
    picture,
    png_url,
    question,
    url_bytes,
)
from tests.support.model_server_variants import LLAMA_SERVER, OLLAMA
from tests.support.requests import complete, stream

Body = dict[str, Any]
REFUSAL = replay("err-image-to-text-model")


def vision(*, supports: bool) -> Reply:
    """Return the properties of llama.cpp's server, as its README has them."""
    properties = {"modalities": {"vision": supports, "audio": False}}
    return Reply(200, JSON, [json.dumps(properties).encode()])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeModelServer, str]]:
    with running_fake_model_server(variant=LLAMA_SERVER) as server:
        folder = tmp_path_factory.mktemp("data")
        with running_api(settings_for(server, data_dir=folder, max_images=3)) as url:
            yield server, url


@pytest.fixture
def vision_server(servers: tuple[FakeModelServer, str]) -> FakeModelServer:
    server, _ = servers
    server.requests.clear()
    server.routes["/props"] = vision(supports=True)
    return server


@pytest.fixture
def client(servers: tuple[FakeModelServer, str]) -> Iterator[httpx.Client]:
    servers[0].routes["/props"] = vision(supports=True)
    with httpx.Client(base_url=servers[1], timeout=30) as client:
        yield client


def sent_messages(server: FakeModelServer) -> list[Body]:
    messages: list[Body] = server.chat_requests[-1].body["messages"]
    return messages


def test_image_is_sent_as_llama_cpp_takes_it(
    client: httpx.Client, vision_server: FakeModelServer
) -> None:
    part = image_part(png_url(), "cat.png")
    part["image_url"]["detail"] = "low"
    complete(client, {"messages": [question(part)]})
    [message] = sent_messages(vision_server)
    text, image = message["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image.keys() == {"type", "image_url"}
    assert image["type"] == "image_url"
    assert image["image_url"]["detail"] == "low"
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    pixels = decoded(url_bytes(image["image_url"]["url"]))
    assert pixels.tobytes() == picture().tobytes()


def test_webp_of_a_phone_is_sent_as_png_without_its_place(
    client: httpx.Client, vision_server: FakeModelServer
) -> None:
    data = encoded(picture(), "WEBP", exif=location_exif(6), lossless=True)
    url = data_url(data, "image/webp")
    body = {"messages": [question(image_part(url, "IMG_1.webp"))], "smolchat": {"receipt": True}}
    receipt = complete(client, body)["smolchat"]["receipt"]
    sent = decoded(url_bytes(sent_messages(vision_server)[0]["content"][1]["image_url"]["url"]))
    assert (sent.format, sent.size, dict(sent.getexif())) == ("PNG", (30, 40), {})
    [image] = receipt["images"]
    assert image.pop("bytes") > 0
    assert image == {
        "part": "messages.0.content.1",
        "state": "sent",
        "name": "IMG_1.webp",
        "media_type": "image/png",
        "width": 30,
        "height": 40,
        "changes": [
            "turned upright",
            "metadata removed, with the place where it was taken",
            "converted from WebP to PNG",
        ],
    }


@pytest.mark.parametrize(
    ("url", "status", "code", "text"),
    [
        ("https://example.com/cat.png", 400, "remote_image", "SMOLCHAT_REMOTE_IMAGES"),
        ("HTTP://example.com/cat.png", 400, "remote_image", "not fetched"),
        ("file:///etc/passwd", 400, "invalid_image", "data: URL"),
        ("data:image/png,hello", 400, "invalid_image", "base64"),
        ("data:image/png;base64,%%%", 400, "invalid_image", "base64"),
        ("data:image/png;base64,", 400, "invalid_image", "not a PNG"),
        ("data:text/html;base64,PGh0bWw+", 400, "invalid_image", "text/html"),
        ("data:image/svg+xml;base64,PHN2Zy8+", 400, "invalid_image", "image/svg"),
        ("data:image/png;base64,PHN2Zy8+", 400, "invalid_image", "SVG"),
        (png_url()[:-2000], 400, "invalid_image", "cut off"),
        ("data:image/png;base64," + "A" * 12_000_000, 413, "request_too_large", "8,388,608"),
        ("/images/" + 64 * "0", 404, "image_not_found", "deleted"),
        ("/images/../conversations", 400, "invalid_image", "data: URL"),
        ("", 400, "invalid_image", "data: URL"),
    ],
)
def test_image_that_cannot_be_sent_is_refused_before_the_model_is_asked(
    client: httpx.Client,
    vision_server: FakeModelServer,
    url: str,
    status: int,
    code: str,
    text: str,
) -> None:
    messages = [question(image_part(png_url()), image_part(url))]
    response = client.post("/chat", json={"messages": messages, "stream": True})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), error
    assert text in error["message"]
    assert error["param"] in ("messages.0.content.2", None)
    assert not vision_server.chat_requests


def test_large_flat_png_is_a_bomb_and_refused(client: httpx.Client) -> None:
    from PIL import Image  # noqa: PLC0415

    bomb = encoded(Image.new("1", (30_000, 30_000)))
    response = client.post("/chat", json={"messages": [question(image_part(data_url(bomb)))]})
    assert response.json()["error"]["code"] == "invalid_image"
    assert "30,000 x 30,000 pixels" in response.json()["error"]["message"]


def test_too_many_images_in_the_question_are_refused(client: httpx.Client) -> None:
    parts = [image_part(png_url())] * 4
    response = client.post("/chat", json={"messages": [question(*parts)]})
    assert response.json()["error"]["code"] == "too_many_images"


def test_older_images_beyond_the_limit_become_text(
    client: httpx.Client, vision_server: FakeModelServer
) -> None:
    old = question(image_part(png_url(), "old.png"), image_part(png_url(), "newer.png"))
    messages = [old, {"role": "assistant", "content": "A cat."}]
    messages.append(question(image_part(png_url()), image_part(png_url())))
    complete(client, {"messages": messages})
    first, _, last = sent_messages(vision_server)
    assert first["content"][1] == {"type": "text", "text": "[image: old.png]"}
    assert [part["type"] for part in first["content"]] == ["text", "text", "image_url"]
    assert [part["type"] for part in last["content"]] == ["text", "image_url", "image_url"]


@pytest.fixture
def text_client(tmp_path: Path) -> Iterator[tuple[FakeModelServer, httpx.Client]]:
    with running_fake_model_server(variant=LLAMA_SERVER) as server:
        server.routes["/props"] = vision(supports=False)
        with (
            running_api(settings_for(server, data_dir=tmp_path)) as url,
            httpx.Client(base_url=url, timeout=30) as client,
        ):
            yield server, client


def test_image_to_a_text_model_is_refused_before_the_model_is_asked(
    text_client: tuple[FakeModelServer, httpx.Client],
) -> None:
    server, client = text_client
    response = client.post("/chat", json={"messages": [question(image_part(png_url()))]})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "unsupported_content")
    assert error["models"] == []
    assert not server.chat_requests


@pytest.mark.parametrize("is_stream", [False, True])
def test_history_with_images_goes_on_with_a_text_model(
    text_client: tuple[FakeModelServer, httpx.Client], *, is_stream: bool
) -> None:
    server, client = text_client
    messages = [
        question(image_part(png_url(), "cat.png")),
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Which color?"},
    ]
    body = {"messages": messages, "smolchat": {"receipt": True}}
    if is_stream:
        receipt = stream(client, body)[-1]["smolchat"]["receipt"]
    else:
        receipt = complete(client, body)["smolchat"]["receipt"]
    expected = [{"type": "text", "text": "What is this?"}]
    expected.append({"type": "text", "text": "[image: cat.png]"})
    assert sent_messages(server)[0]["content"] == expected
    assert receipt["images"][0]["state"] == "replaced_by_text"


def test_refusal_of_docker_model_runner_is_remembered(tmp_path: Path) -> None:
    body = {"messages": [question(image_part(png_url()))]}
    with (
        running_fake_model_server() as server,
        running_api(settings_for(server, data_dir=tmp_path)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        assert client.get("/models").json()["data"][0]["smolchat"]["input"] is None
        server.replies.append(REFUSAL)
        first, second = (client.post("/chat", json=body) for _ in range(2))
        assert [first.status_code, second.status_code] == [400, 400]
        assert first.json()["error"]["code"] == "unsupported_content"
        assert second.json()["error"]["code"] == "unsupported_content"
        assert len(server.chat_requests) == 1
        assert client.get("/models").json()["data"][0]["smolchat"]["input"] == ["text"]


def test_refused_history_is_sent_again_without_its_images(tmp_path: Path) -> None:
    messages = [question(image_part(png_url(), "cat.png")), {"role": "user", "content": "Why?"}]
    with (
        running_fake_model_server() as server,
        running_api(settings_for(server, data_dir=tmp_path)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        server.replies.append(REFUSAL)
        complete(client, {"messages": messages})
        first, second = (each.body["messages"][0]["content"][1] for each in server.chat_requests)
        assert first["type"] == "image_url"
        assert second == {"type": "text", "text": "[image: cat.png]"}


def test_docker_model_runner_describes_what_a_model_takes(tmp_path: Path) -> None:
    config = {"config": {"capabilities": {"inputTypes": ["text", "image"]}}}
    stored = [{"id": "sha256:5a", "tags": ["docker.io/ai/smollm2:latest"], "config": config}]
    with (
        running_fake_model_server() as server,
        running_api(settings_for(server, data_dir=tmp_path)) as url,
    ):
        server.routes["/models"] = Reply(200, JSON, [json.dumps(stored).encode()])
        [model] = httpx.get(f"{url}/v1/models").json()["data"]
        assert model["smolchat"]["input"] == ["text", "image"]


def ollama_with(*names: str) -> ServerVariant:
    entries = [{"id": each, "object": "model", "owned_by": "library"} for each in names]
    models = Reply(200, JSON, [json.dumps({"object": "list", "data": entries}).encode()])
    return ServerVariant(prefixes=("/v1",), models=models, rewrite=OLLAMA.rewrite)


def test_error_names_the_models_that_take_images(tmp_path: Path) -> None:
    def show(body: Body) -> Reply:
        capabilities = ["completion", "vision"] if "vision" in body["model"] else ["completion"]
        return Reply(200, JSON, [json.dumps({"capabilities": capabilities}).encode()])

    variant = ollama_with("smollm2:135m", "granite-vision:2b")
    with (
        running_fake_model_server(variant=variant) as server,
        running_api(settings_for(server, data_dir=tmp_path, model_id="smollm2:135m")) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        server.posted_routes["/api/show"] = show
        listed = client.get("/v1/models").json()["data"]
        assert [each["smolchat"]["input"] for each in listed] == [["text"], ["text", "image"]]
        messages = [question(image_part(png_url()))]
        error = client.post("/chat", json={"messages": messages}).json()["error"]
        assert error["models"] == ["granite-vision:2b"]
        assert "granite-vision:2b" in error["message"]
        assert not server.chat_requests
        complete(client, {"messages": messages, "model": "granite-vision:2b"})


def test_remote_images_pass_to_the_server_if_that_is_set(tmp_path: Path) -> None:
    with (
        running_fake_model_server(variant=LLAMA_SERVER) as server,
        running_api(settings_for(server, data_dir=tmp_path, remote_images=True)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        server.routes["/props"] = vision(supports=True)
        part = image_part("https://example.com/cat.png", "cat.png")
        complete(client, {"messages": [question(part)]})
        image = sent_messages(server)[0]["content"][1]
        assert image == {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


def test_structured_output_can_be_asked_of_an_image(
    client: httpx.Client, vision_server: FakeModelServer
) -> None:
    schema = {"type": "object", "properties": {"animal": {"type": "string"}}}
    url = data_url(encoded(picture(), "WEBP"), "image/webp")
    body: Body = {"messages": [question(image_part(url))]}
    body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    response = client.post("/structured", json=body)
    images = [
        part
        for request in vision_server.chat_requests
        for message in request.body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    assert images, response.text
    assert all(each["image_url"]["url"].startswith("data:image/") for each in images)
    assert not any("webp" in each["image_url"]["url"] for each in images)
