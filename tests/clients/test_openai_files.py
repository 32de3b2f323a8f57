"""The official `openai` client, unmodified, uploads files, collects and searches them."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import openai
import pytest

TEXTS = {
    "harbour.md": "# Harbour\n\nThe lighthouse of Varnmouth was built by Ada Quill in 1871.\n",
    "garden.txt": "The walled garden has forty pear trees and a well.\n",
    "prices.csv": "item,price\nrope,12\nlantern,30\n",
}


@pytest.fixture
def client(api_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def _upload(client: openai.OpenAI, name: str, text: str) -> str:
    file = client.files.create(file=(name, text.encode()), purpose="assistants")
    return file.id


def test_file_is_uploaded_read_and_deleted(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "harbour.md"
    path.write_text(TEXTS["harbour.md"])
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose="user_data")
    assert (file.filename, file.purpose) == ("harbour.md", "user_data")
    assert file.bytes == path.stat().st_size
    ready = client.files.wait_for_processing(file.id, poll_interval=0.05)
    assert ready.status == "processed"
    assert client.files.content(file.id).text == TEXTS["harbour.md"]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_pages_of_files_are_followed(client: openai.OpenAI) -> None:
    ids = [_upload(client, f"{n}.txt", f"number {n}") for n in range(5)]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]


def test_collection_is_filled_searched_and_deleted(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="Coast", metadata={"owner": "me"})
    streams = [(name, BytesIO(text.encode())) for name, text in TEXTS.items()]
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=streams, poll_interval_ms=50
    )
    assert batch.status == "completed"
    assert batch.file_counts.completed == batch.file_counts.total == 3
    results = client.vector_stores.search(store.id, query="Who built the lighthouse?").data
    assert results[0].filename == "harbour.md"
    assert "Ada Quill" in results[0].content[0].text
    assert 0 < results[0].score < 1
    store = client.vector_stores.update(store.id, name="Shore")
    assert (store.name, store.file_counts.completed, store.status) == ("Shore", 3, "completed")
    assert client.vector_stores.delete(store.id).deleted
    assert list(client.vector_stores.list()) == []
    assert len(list(client.files.list())) == 3


def test_file_is_added_to_a_collection_with_attributes_and_removed(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(file_ids=[_upload(client, "a.txt", TEXTS["garden.txt"])])
    added = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id,
        file=("b.txt", b"Pear trees of the north."),
        attributes={"year": 2021, "draft": False},
        poll_interval_ms=50,
    )
    assert (added.status, added.attributes) == ("completed", {"year": 2021, "draft": False})
    found = client.vector_stores.search(
        store.id, query="pear trees", filters={"type": "gte", "key": "year", "value": 2000}
    )
    assert [result.file_id for result in found.data] == [added.id]
    assert len(list(client.vector_stores.files.list(store.id, limit=1))) == 2
    assert client.vector_stores.files.delete(added.id, vector_store_id=store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.files.retrieve(added.id, vector_store_id=store.id)
    assert client.files.retrieve(added.id).id == added.id


def test_content_of_a_file_of_a_collection_is_its_text(client: openai.OpenAI) -> None:
    text = "One line of many, with an ü and a 🙂.\r\n" * 5000
    store = client.vector_stores.create()
    added = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("a.txt", text.encode()), poll_interval_ms=50
    )
    parts = list(client.vector_stores.files.content(added.id, vector_store_id=store.id))
    assert {part.type for part in parts} == {"text"}
    content = "".join(part.text or "" for part in parts)
    assert content == client.get(f"/files/{added.id}/text", cast_to=httpx.Response).text


def test_batches_of_files_are_polled_listed_and_cancelled(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    ids = [_upload(client, name, text) for name, text in TEXTS.items()]
    batches = client.vector_stores.file_batches
    batch = batches.create_and_poll(
        store.id, file_ids=ids, attributes={"lang": "en"}, poll_interval_ms=50
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 3)
    assert batches.retrieve(batch.id, vector_store_id=store.id).id == batch.id
    files = list(
        batches.list_files(batch.id, vector_store_id=store.id, limit=2, filter="completed")
    )
    assert {file.id for file in files} == set(ids)
    assert files[0].attributes == {"lang": "en"}
    later = batches.create(
        store.id, files=[{"file_id": ids[0], "attributes": {"lang": "de"}}, {"file_id": ids[1]}]
    )
    cancelled = batches.cancel(later.id, vector_store_id=store.id)
    assert cancelled.file_counts.total == 2


def test_attributes_are_changed_and_filter_a_search(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    files = client.vector_stores.files
    ids = [
        files.create_and_poll(
            _upload(client, name, TEXTS["garden.txt"]),
            vector_store_id=store.id,
            poll_interval_ms=50,
        ).id
        for name in ("a.txt", "b.txt", "c.txt")
    ]
    for year, file_id in enumerate(ids, start=2020):
        attributes: dict[str, str | float | bool] = {"year": year, "place": "north"}
        updated = files.update(file_id, vector_store_id=store.id, attributes=attributes)
        assert updated.attributes == attributes
    results = client.vector_stores.search(
        store.id,
        query=["How many pear trees", "does the garden have?"],
        filters={
            "type": "and",
            "filters": [
                {"type": "eq", "key": "place", "value": "north"},
                {"type": "gt", "key": "year", "value": 2020},
            ],
        },
        max_num_results=5,
        ranking_options={"ranker": "auto", "score_threshold": 0.1},
        rewrite_query=False,
    )
    assert {result.file_id for result in results} == set(ids[1:])
    none = client.vector_stores.search(
        store.id, query="pear trees", ranking_options={"score_threshold": 1}
    )
    assert list(none) == []


def test_unreadable_file_fails_with_a_reason(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    added = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("a.pdf", b"%PDF-1.4 nothing"), poll_interval_ms=50
    )
    assert added.status == "failed"
    assert added.last_error
    assert added.last_error.code == "invalid_file"
    assert added.last_error.message
    with pytest.raises(openai.ConflictError, match="has no text"):
        client.vector_stores.files.content(added.id, vector_store_id=store.id)
