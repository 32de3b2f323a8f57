import pytest

from backend.model_server.base_url import base_url_candidates


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:12434",
        "http://localhost:12434/",
        "http://localhost:12434/v1",
        "http://localhost:12434/v1/",
        "http://localhost:12434/engines",
        "http://localhost:12434/engines/v1/",
        "http://localhost:12434/engines/llama.cpp",
        "http://localhost:12434/engines/llama.cpp/v1",
    ],
)
def test_candidates_have_every_prefix_of_docker_model_runner(url: str) -> None:
    assert set(base_url_candidates(url)) == {
        "http://localhost:12434/v1",
        "http://localhost:12434/engines/v1",
        "http://localhost:12434/engines/llama.cpp/v1",
    }


def test_configured_url_is_the_first_candidate() -> None:
    assert base_url_candidates("http://172.17.0.1:12434/v1/")[0] == "http://172.17.0.1:12434/v1"
    assert (
        base_url_candidates("http://localhost:12434/engines/v1")[0]
        == "http://localhost:12434/engines/v1"
    )


@pytest.mark.parametrize("url", ["https://host/api/v3", "http://host/v1beta/openai", "http://h/a"])
def test_url_with_an_unknown_path_is_the_first_candidate(url: str) -> None:
    assert base_url_candidates(url)[0] == url


def test_other_backends_and_path_prefixes_are_preserved() -> None:
    assert base_url_candidates("http://host/engines/vllm/v1")[0] == "http://host/engines/vllm/v1"
    assert base_url_candidates("https://host/proxy/openai/v1")[0] == "https://host/proxy/openai/v1"
    assert "https://host/proxy/v1" in base_url_candidates("https://host/proxy")
