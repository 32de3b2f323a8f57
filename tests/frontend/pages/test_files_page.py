"""The Files page: uploads, how far files are read, collections, search, and the text of a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from sanitize.plain_text import plain_text
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.streamlit_app import open_page, warnings
from tests.support.uploads import upload, wait_until_read

BEES = "# Bees\n\nBees live in hives.\n\n# Whales\n\nWhales sing in the sea.\n"
HOSTILE = "<img src=x onerror=alert(1)> ![x](http:evil.test)\u202etxt.md"


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=20) as client:
        yield client


@pytest.fixture
def page(client: httpx.Client, api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with a file that was read."""
    read(client, BEES.encode(), "animals.md")
    return open_page(api_url, monkeypatch, "files")


def read(client: httpx.Client, content: bytes, name: str) -> str:
    return str(wait_until_read(client, upload(client, content, name)["id"])["id"])


def files(client: httpx.Client) -> list[dict[str, Any]]:
    return list(client.get("/v1/files").json()["data"])


def texts(page: AppTest) -> list[str]:
    return [text.value for text in page.text]


def html(page: AppTest) -> str:
    bodies = [element.proto.body for element in page.get("html")]
    return " ".join(body for body in bodies if not body.startswith("<style>"))


def click(page: AppTest, label: str) -> AppTest:
    page = next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def choose(page: AppTest, menu: str, choice: str) -> AppTest:
    """Choose from the first menu whose key begins so."""
    menus: list[Any] = list(page.get("menu_button"))
    chosen: AppTest = next(each for each in menus if each.key.startswith(menu)).set_value(choice)
    return chosen.run()


def test_empty_page_says_what_to_do(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page(api_url, monkeypatch, "files")
    assert not page.exception
    captions = [caption.value for caption in page.caption]
    assert any(caption.startswith("No files yet") for caption in captions)
    assert any(caption.startswith("No collections yet") for caption in captions)
    assert page.file_uploader[0].proto.max_upload_size_mb == 256


def test_dropped_files_are_uploaded_once_and_into_a_collection(
    client: httpx.Client, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = client.post("/v1/vector_stores", json={"name": "Animals"}).json()["id"]
    page = open_page(api_url, monkeypatch, "files")
    page.selectbox(key="files_upload_collection").select(collection)
    page.file_uploader[0].upload("bees.md", BEES.encode())
    page.run().run()
    assert not page.exception
    assert [file["filename"] for file in files(client)] == ["bees.md"]
    assert "bees.md" in texts(page)
    assert not page.file_uploader[0].value
    counts = client.get(f"/v1/vector_stores/{collection}").json()["file_counts"]
    assert counts["total"] == 1


def test_refused_upload_says_why(
    model_server: FakeModelServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(model_server, data_dir=data_dir, max_file_bytes=10)
    with running_api(settings) as api_url:
        page = open_page(api_url, monkeypatch, "files")
        page.file_uploader[0].upload("long.txt", b"a" * 11)
        page.run().run()
        assert "1 file not uploaded" in warnings(page)
        assert "larger than 10 bytes" in warnings(page)
        click(page, "Dismiss")
        assert not page.warning


def test_failed_file_says_why_and_what_to_do(client: httpx.Client, page: AppTest) -> None:
    read(client, b"", "empty.txt")
    click(page, "Refresh")
    assert [error.value for error in page.error] == [
        plain_text("The file has no text in it. Upload one that has.")
    ]
    assert any("1 failed" in text for text in texts(page))


def test_file_is_deleted_after_confirmation(client: httpx.Client, page: AppTest) -> None:
    choose(page, "files_menu_", "Delete…")
    assert len(files(client)) == 1
    page.button(key="files_delete").click().run()
    assert files(client) == []


def test_text_is_shown_as_it_was_read(page: AppTest) -> None:
    click(page, "View text")
    assert "Bees live in hives." in html(page)


def test_long_text_is_shown_in_parts(client: httpx.Client, page: AppTest) -> None:
    read(client, b"First. " + b"Bees live in hives. " * 2500 + b"Last.", "long.txt")
    click(page, "Refresh")
    click(page, "View text")
    assert any("part 1 of 3" in caption.value for caption in page.caption)
    assert "First." in html(page)
    assert "Last." not in html(page)


def test_search_marks_the_words_of_the_question(page: AppTest) -> None:
    page.text_input(key="files_query").set_value("where does a bee live").run()
    assert not page.exception
    assert "<mark>Bees</mark> <mark>live</mark> in hives." in html(page)
    click(page, "View passage")
    assert "<mark># Bees" in html(page)


def test_collection_is_created_filled_renamed_and_deleted(
    client: httpx.Client, page: AppTest
) -> None:
    page.text_input(key="files_collection_new").set_value("Sea")
    page.button(key="files_collection_create").click().run()
    [collection] = client.get("/v1/vector_stores").json()["data"]
    assert (collection["name"], "Sea" in texts(page)) == ("Sea", True)
    click(page, "Files…")
    page.multiselect[0].select(files(client)[0]["id"])
    page.button(key="files_collection_add").click().run()
    store = f"/v1/vector_stores/{collection['id']}"
    assert client.get(store).json()["file_counts"]["total"] == 1
    page.run()
    choose(page, "files_collection_menu", "Rename…")
    page.text_input(key=f"files_collection_name_{collection['id']}").set_value("Ocean")
    page.button(key="files_collection_rename").click().run()
    assert client.get(store).json()["name"] == "Ocean"
    page.run()
    choose(page, "files_collection_menu", "Delete collection…")
    page.button(key="files_collection_delete").click().run()
    assert client.get(store).status_code == 404
    assert len(files(client)) == 1


def test_hostile_names_and_texts_are_shown_as_text(client: httpx.Client, page: AppTest) -> None:
    read(client, HOSTILE.encode(), HOSTILE)
    client.post("/v1/vector_stores", json={"name": HOSTILE})
    click(page, "Refresh")
    page.text_input(key="files_query").set_value("evil onerror").run()
    assert not page.exception
    shown = html(page)
    assert "&lt;img src=x" in shown
    assert "<img" not in shown
    assert "\u202e" not in shown + " ".join(texts(page))


def test_many_files_are_shown_in_pages(
    client: httpx.Client, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        upload(client, b"a", f"{number}.txt")
    page = open_page(api_url, monkeypatch, "files")
    rows = [text for text in texts(page) if text.endswith(".txt")]
    assert len(rows) == 20
    page.text_input(key="files_filter").set_value("24").run()
    assert [text for text in texts(page) if text.endswith(".txt")] == ["24.txt"]


def test_page_works_while_the_api_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page("http://127.0.0.1:9", monkeypatch, "files")
    assert not page.exception
    assert "Can't reach the API" in warnings(page)
