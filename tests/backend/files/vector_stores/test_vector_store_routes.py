"""The routes of collections, on a real socket."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.uploads import upload, wait_until_read


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{api_url}/v1", timeout=20) as client:
        yield client


def post(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    return reply


@pytest.fixture
def files(client: httpx.Client) -> list[str]:
    """The ids of two files that have been read."""
    client = httpx.Client(base_url=str(client.base_url).removesuffix("/v1/"))
    with client:
        texts = [b"Ada built the lighthouse in 1871.", b"The garden has forty pear trees."]
        ids = [upload(client, text, f"{n}.txt")["id"] for n, text in enumerate(texts)]
        for file_id in ids:
            wait_until_read(client, file_id)
    return ids


def test_search_returns_passages_whose_offsets_are_their_text(
    client: httpx.Client, files: list[str]
) -> None:
    store = post(client, "/vector_stores", name="Coast", file_ids=files)
    found = post(client, f"/vector_stores/{store['id']}/search", query="Who built the lighthouse?")
    assert found["object"] == "vector_store.search_results.page"
    assert (found["search_query"], found["has_more"]) == (["Who built the lighthouse?"], False)
    result = found["data"][0]
    [content] = result["content"]
    text = client.get(f"/files/{files[0]}/text").text
    assert (result["file_id"], result["filename"]) == (files[0], "0.txt")
    assert text[content["start"] : content["end"]] == content["text"]


def test_search_leaves_out_low_scores_and_other_files(
    client: httpx.Client, files: list[str]
) -> None:
    store = post(client, "/vector_stores", file_ids=files)
    search = f"/vector_stores/{store['id']}/search"
    scores = [one["score"] for one in post(client, search, query=["pear", "lighthouse"])["data"]]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    threshold = {"ranking_options": {"score_threshold": scores[0]}}
    assert len(post(client, search, query=["pear", "lighthouse"], **threshold)["data"]) < 2 or (
        scores[0] == scores[1]
    )
    assert len(post(client, search, query="pear lighthouse", max_num_results=1)["data"]) == 1
    attributes = {"kind": "plants"}
    client.post(f"/vector_stores/{store['id']}/files/{files[1]}", json={"attributes": attributes})
    plants = {"type": "eq", "key": "kind", "value": "plants"}
    [result] = post(client, search, query="pear lighthouse", filters=plants)["data"]
    assert (result["file_id"], result["attributes"]) == (files[1], attributes)
    none = {"type": "and", "filters": [plants, {"type": "in", "key": "kind", "value": []}]}
    assert post(client, search, query="pear", filters=none)["data"] == []


def test_deleted_file_is_not_found_any_more(client: httpx.Client, files: list[str]) -> None:
    store = post(client, "/vector_stores", file_ids=files)
    assert client.delete(f"/files/{files[0]}").status_code == 200
    found = post(client, f"/vector_stores/{store['id']}/search", query="lighthouse pear")
    assert [one["file_id"] for one in found["data"]] == [files[1]]
    assert client.get(f"/vector_stores/{store['id']}").json()["file_counts"]["total"] == 1


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/vector_stores", {"name": "x" * 300}, "name"),
        ("/vector_stores", {"metadata": {str(n): "" for n in range(20)}}, "metadata"),
        ("/vector_stores", {"expires_after": {"anchor": "last_active_at"}}, "expires_after"),
        ("/vector_stores/x/search", {}, "query"),
        ("/vector_stores/x/search", {"query": "a", "max_num_results": 51}, "max_num_results"),
        ("/vector_stores/x/file_batches", {}, None),
        ("/vector_stores/x/file_batches", {"file_ids": ["a"], "files": []}, "files"),
    ],
)
def test_bad_request_is_a_400_that_names_the_field(
    client: httpx.Client, path: str, body: dict[str, Any], param: str | None
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_unknown_collection_is_a_404_everywhere(client: httpx.Client) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/files"),
        ("GET", "/files/file-x"),
        ("DELETE", "/files/file-x"),
        ("GET", "/file_batches/x"),
        ("GET", "/file_batches/x/files"),
        ("POST", "/file_batches/x/cancel"),
    ):
        response = client.request(method, f"/vector_stores/vs_x{path}")
        assert (response.status_code, response.json()["error"]["code"]) == (
            404,
            "vector_store_not_found",
        )


def test_deeply_nested_filter_is_refused(client: httpx.Client) -> None:
    filters: dict[str, Any] = {"type": "eq", "key": "a", "value": 1}
    for _ in range(90):
        filters = {"type": "and", "filters": [filters]}
    response = client.post("/vector_stores/vs_x/search", json={"query": "a", "filters": filters})
    assert response.status_code in (400, 404)
