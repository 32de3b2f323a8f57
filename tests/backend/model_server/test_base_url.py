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
def test_every_form_of_an_address_leads_to_every_prefix_of_docker_model_runner(url: str) -> None:
    assert set(base_url_candidates(url)) == {
        "http://localhost:12434/v1",
        "http://localhost:12434/engines/v1",
        "http://localhost:12434/engines/llama.cpp/v1",
    }


def test_what_was_written_is_tried_first() -> None:
    assert base_url_candidates("http://172.17.0.1:12434/v1/")[0] == "http://172.17.0.1:12434/v1"
    assert (
        base_url_candidates("http://localhost:12434/engines/v1")[0]
        == "http://localhost:12434/engines/v1"
    )


@pytest.mark.parametrize("url", ["https://host/api/v3", "http://host/v1beta/openai", "http://h/a"])
def test_a_path_of_another_form_is_tried_as_it_was_written(url: str) -> None:
    assert base_url_candidates(url)[0] == url


def test_another_backend_and_a_path_in_front_are_kept() -> None:
    assert base_url_candidates("http://host/engines/vllm/v1")[0] == "http://host/engines/vllm/v1"
    assert base_url_candidates("https://host/proxy/openai/v1")[0] == "https://host/proxy/openai/v1"
    assert "https://host/proxy/v1" in base_url_candidates("https://host/proxy")
