"""The routes of passages, and of search in files without a collection, on a real socket."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.uploads import upload, wait_until_read

TEXT = "# Bees\n\n" + "Bees live in hives. \n" * 200 + "\n# Whales 🐋\n\n" + "Whales sing. \n" * 200


@pytest.fixture
def client(model_server: FakeModelServer, data_dir: Path) -> Iterator[httpx.Client]:
    settings = settings_for(model_server, data_dir=data_dir)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def uploaded(client: httpx.Client, text: str, name: str) -> str:
    file = upload(client, text.encode(), name)
    assert wait_until_read(client, file["id"])["status"] == "processed"
    return str(file["id"])


def test_passages_are_the_text_in_parts(client: httpx.Client) -> None:
    file = uploaded(client, TEXT, "animals.md")
    text = client.get(f"/v1/files/{file}/text").text
    passages, start = [], 0
    while part := client.get(f"/files/{file}/passages?start={start}&limit=3").json()["data"]:
        assert part[0]["start"] >= start
        assert len(part) <= 3
        passages += part
        start = part[-1]["end"]
    assert all(text[each["start"] : each["end"]] == each["text"] for each in passages)
    assert " ".join(each["text"] for each in passages).split() == text.split()
    assert {each["heading"] for each in passages} == {"Bees", "Whales 🐋"}
    last = client.get(f"/v1/files/{file}/passages?start={len(text) - 5}").json()
    assert [each["end"] for each in last["data"]] == [last["characters"]]


def test_passages_of_no_file_are_not_found(client: httpx.Client) -> None:
    assert client.get("/v1/files/file-none/passages").status_code == 404


def test_search_finds_passages_in_all_files_or_in_some(client: httpx.Client) -> None:
    animals = uploaded(client, TEXT, "animals.md")
    other = uploaded(client, "A hive is a box.", "box.txt")

    def found(**options: object) -> set[str]:
        body = {"query": "Where do bees live? In hives?", **options}
        response = client.post("/v1/files/search", json=body)
        return {result["file_id"] for result in response.raise_for_status().json()["data"]}

    assert found() == {animals, other}
    assert found(file_ids=[other]) == {other}
    assert found(file_ids=[]) == found(file_ids=["file-none"]) == set()
