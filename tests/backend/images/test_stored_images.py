"""Images of stored chats: shown, shared and deleted with the last message that has them."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database
from backend.database.tables import image_references
from backend.errors import ImageNotFoundError
from backend.images.clean_image import CleanImage, described
from backend.images.cleaning import clean
from backend.images.limits import ImageLimits
from backend.images.parts import reference
from backend.images.storage import ImageStorage
from backend.images.store import ImageStore
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server
from tests.support.images import (
    data_url,
    decoded,
    encoded,
    image_part,
    picture,
    png_url,
    question,
    url_bytes,
)
from tests.support.model_server_variants import LLAMA_SERVER
from tests.support.requests import complete
from tests.support.waiting import wait_until

Body = dict[str, Any]
LIMITS = ImageLimits(max_bytes=2**20, max_pixels=1_000_000, max_edge=256)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with running_fake_model_server(variant=LLAMA_SERVER) as server:
        yield server


@pytest.fixture(scope="module")
def url(server: FakeModelServer, folder: Path) -> Iterator[str]:
    with running_api(settings_for(server, data_dir=folder)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


def new_chat(client: httpx.Client) -> str:
    return str(client.post("/conversations", json={}).json()["id"])


def ask(client: httpx.Client, chat: str, *parts: Body, **options: Any) -> list[Body]:
    """Ask about images; return the chat's messages as they are stored."""
    body = {"messages": [question(*parts)], "smolchat": {"conversation": chat} | options}
    complete(client, body)
    return messages_of(client, chat)


def messages_of(client: httpx.Client, chat: str) -> list[Body]:
    messages: list[Body] = client.get(f"/conversations/{chat}").json()["messages"]
    return messages


def image_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "images" / "contents").iterdir()}


def test_image_of_a_stored_question_is_shown_as_the_model_saw_it(
    client: httpx.Client, server: FakeModelServer
) -> None:
    part = image_part(data_url(encoded(picture(), "GIF"), "image/gif"), "a\n\u202ecat.gif")
    user, _ = ask(client, new_chat(client), part)
    stored = user["parts"][1]
    assert user["content"] == "What is this?"
    assert "base64" not in str(user)
    assert stored["smolchat"]["name"] == "a cat.gif"
    assert stored["smolchat"]["changes"] == ["converted from GIF to PNG"]
    response = client.get(stored["image_url"]["url"])
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    sent = server.chat_requests[-1].body["messages"][0]["content"][1]["image_url"]["url"]
    assert response.content == url_bytes(sent)
    assert decoded(response.content).size == (40, 30)


def test_stored_part_is_sent_back_as_it_is_and_regenerates(
    client: httpx.Client, server: FakeModelServer
) -> None:
    chat = new_chat(client)
    user, _ = ask(client, chat, image_part(png_url(seed=7), "cat.png"))
    first = server.chat_requests[-1].body["messages"]
    body = {"messages": [{"role": "user", "content": user["parts"]}]}
    complete(client, body | {"smolchat": {"conversation": chat, "parent": user["id"]}})
    assert server.chat_requests[-1].body["messages"] == first
    messages = messages_of(client, chat)
    assert [each["role"] for each in messages] == ["user", "assistant", "assistant"]


def test_image_without_text_names_the_chat(client: httpx.Client) -> None:
    chat = new_chat(client)
    content = [image_part(png_url(seed=8), "cat.png")]
    body = {"messages": [{"role": "user", "content": content}]}
    complete(client, body | {"smolchat": {"conversation": chat}})
    assert client.get(f"/conversations/{chat}").json()["title"] == "cat.png"


@pytest.mark.parametrize("by", ["message", "conversation"])
def test_image_is_deleted_with_the_last_message_that_has_it(
    client: httpx.Client, folder: Path, by: str
) -> None:
    chat = new_chat(client)
    user, _ = ask(client, chat, image_part(png_url(seed=2)))
    copy = client.post(f"/conversations/{chat}/duplicate").json()["id"]
    image = user["parts"][1]["image_url"]["url"]
    client.delete(f"/conversations/{copy}", params={"permanent": True})
    time.sleep(0.2)
    assert client.get(image).status_code == 200
    if by == "message":
        client.delete(f"/conversations/{chat}/messages/{user['id']}")
    else:
        client.delete(f"/conversations/{chat}", params={"permanent": True})
    wait_until(lambda: client.get(image).status_code == 404)
    wait_until(lambda: image.removeprefix("/images/") not in image_files(folder))


def test_image_of_a_refused_request_is_in_no_chat(client: httpx.Client) -> None:
    parts = [image_part(png_url(seed=3)), image_part("data:image/png;base64,AAAA")]
    chat = new_chat(client)
    body = {"messages": [question(*parts)], "smolchat": {"conversation": chat}}
    assert client.post("/chat", json=body).status_code == 400
    assert messages_of(client, chat) == []


@pytest.mark.parametrize(
    "path", ["/images/x", "/images/..%2f..%2fsmolchat.db", f"/images/{64 * '0'}"]
)
def test_unknown_images_are_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


# The store by itself, on both databases.


@pytest.fixture
async def store(database: Database, tmp_path: Path) -> ImageStore:
    return ImageStore(database, ImageStorage(tmp_path / "images"))


def clean_picture(seed: int) -> CleanImage:
    return clean(encoded(picture(8, 8, seed=seed)), "image/png", LIMITS)


def message_with(*found: CleanImage) -> Message:
    parts = [image_part(reference(described(each).sha256)) for each in found]
    return Message(role="user", parts=parts)


def _age(path: Path) -> None:
    os.utime(path, (0, 0))


async def references_to(database: Database, image: CleanImage) -> list[str | None]:
    """Return the messages that have an image; None is a hold."""
    column = image_references.c
    query = select(column.message).where(column.image == described(image).sha256)
    async with database.read_transaction() as connection:
        return list((await connection.execute(query)).scalars())


@pytest.mark.anyio
async def test_turn_takes_over_the_hold_of_its_image(database: Database, store: ImageStore) -> None:
    repository, chat, image = ConversationRepository(database), Conversation(), clean_picture(1)
    await repository.insert(chat)
    await store.add([image])
    await store.discard_unused()
    assert await references_to(database, image) == [None]
    message = message_with(image)
    await repository.create_turn(chat.id, message, Message(role="assistant"))
    assert await references_to(database, image) == [message.id]
    assert (await store.get(described(image).sha256))[1] == image.data


@pytest.mark.anyio
async def test_abandoned_images_and_files_are_deleted(
    database: Database, store: ImageStore, tmp_path: Path
) -> None:
    image = clean_picture(2)
    await store.add([image])
    stray = tmp_path / "images" / "contents" / ("0" * 64)
    stray.write_bytes(b"stray")
    await store.discard_abandoned()
    assert stray.exists()  # an import may be about to refer to it
    async with database.write_transaction() as connection:
        is_held = image_references.c.message.is_(None)
        changed = image_references.update().where(is_held)
        await connection.execute(changed.values(created_at=datetime(2020, 1, 1, tzinfo=UTC)))
    for path in stray.parent.iterdir():
        _age(path)
    await store.discard_abandoned()
    await store.discard_unused()
    assert list(stray.parent.iterdir()) == []


@pytest.mark.anyio
async def test_images_survive_the_deletion_of_others_at_the_same_time(
    database: Database, store: ImageStore
) -> None:
    """Messages with one image are stored and deleted at once: those that stay have its bytes."""
    repository, image = ConversationRepository(database), clean_picture(3)
    sha256 = described(image).sha256

    async def store_and_delete() -> None:
        chat = Conversation()
        await repository.insert(chat)
        await store.add([image])
        await repository.create_turn(chat.id, message_with(image), Message(role="assistant"))
        assert (await store.get(sha256))[1] == image.data
        await repository.delete(chat.id)
        await store.discard_unused()

    async def repeat() -> None:
        for _ in range(5):
            await store_and_delete()

    await asyncio.gather(*(repeat() for _ in range(4)))
    await store.discard_unused()
    assert await references_to(database, image) == []
    with pytest.raises(ImageNotFoundError):
        await store.get(sha256)
