import pytest

from backend.model_server.model_ids import display_id, same_model, strip_docker_hub


@pytest.mark.parametrize(
    "other",
    [
        "smollm2",
        "ai/smollm2",
        "AI/SmolLM2:latest",
        "docker.io/ai/smollm2:latest",
        "index.docker.io/ai/smollm2",
    ],
)
def test_short_and_long_names_are_one_model(other: str) -> None:
    assert same_model("ai/smollm2:latest", other)


@pytest.mark.parametrize(
    "other", ["ai/smollm2:360M", "ai/smollm3", "me/smollm2", "ai/smollm2:Latest"]
)
def test_another_tag_name_or_organisation_is_another_model(other: str) -> None:
    assert not same_model("ai/smollm2:latest", other)


def test_both_names_of_hugging_face_are_one() -> None:
    assert same_model(
        "hf.co/bartowski/SmolLM2-GGUF", "huggingface.co/bartowski/smollm2-gguf:latest"
    )


def test_docker_hub_goes_without_saying() -> None:
    assert strip_docker_hub("docker.io/ai/smollm2:latest") == "ai/smollm2:latest"
    assert strip_docker_hub("hf.co/someone/tiny.gguf") == "hf.co/someone/tiny.gguf"


def test_listed_ids_have_no_registry_and_no_path() -> None:
    assert display_id("docker.io/ai/smollm2:latest") == "ai/smollm2:latest"
    assert display_id("/home/someone/models/tiny.Q4_1.gguf") == "tiny.Q4_1"
    assert display_id(r"C:\models\tiny.gguf") == "tiny"
    assert display_id("llama3.2:1b") == "llama3.2:1b"
