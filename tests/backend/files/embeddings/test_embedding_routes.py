"""Search by meaning through the API: from the upload of a file to the status page."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.embeddings import serve_embeddings
from tests.support.fake_model_server import FakeModelServer
from tests.support.paths import ROOT
from tests.support.uploads import upload, wait_until_read
from tests.support.waiting import wait_until

TEXT = b"The surgeon of the village was called Ada Blum."
WITHOUT_NUMPY = """
import asyncio, sys
sys.modules["numpy"] = None
from backend.main import app
asyncio.run(app.router.lifespan_context(app).__aenter__())
"""


def test_uploaded_file_is_found_by_its_meaning_and_the_status_says_so(
    model_server: FakeModelServer, data_dir: Path
) -> None:
    serve_embeddings(model_server)
    settings = settings_for(model_server, data_dir=data_dir)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/status").json()["embeddings"] is None
        file = upload(client, TEXT)["id"]
        wait_until_read(client, file)
        query = {"query": "Which physician?"}
        assert client.post("/v1/files/search", json=query).json()["data"] == []
    # The file that was read before is embedded when there is a model.
    settings = settings_for(model_server, data_dir=data_dir, embedding_model="embedder")
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        wait_until(lambda: client.get("/status").json()["embeddings"]["waiting_files"] == 0)
        assert client.get("/status").json()["embeddings"] == {
            "model": "embedder",
            "dimensions": 5,
            "waiting_files": 0,
            "problem": None,
        }
        [result] = client.post("/v1/files/search", json=query).json()["data"]
        assert (result["file_id"], result["score"]) == (file, 0.0)
        assert result["content"][0]["text"] == TEXT.decode()
        assert client.delete(f"/v1/files/{file}").is_success
        assert client.post("/v1/files/search", json=query).json()["data"] == []


@pytest.mark.slow
def test_api_with_an_embedding_model_but_without_numpy_says_what_to_install(tmp_path: Path) -> None:
    variables = {"SMOLCHAT_EMBEDDING_MODEL": "embedder", "SMOLCHAT_DATA_DIR": str(tmp_path)}
    started = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert "pip install 'smolchat[embeddings]'" in started.stderr
