import pytest

from backend.model_server.model_ids import (
    display_id,
    find_model,
    find_named_model,
    same_model,
    strip_docker_hub,
)


@pytest.mark.parametrize(
    "model_id",
    [
        "smollm2",
        "ai/smollm2",
        "AI/SmolLM2:latest",
        "docker.io/ai/smollm2:latest",
        "index.docker.io/ai/smollm2",
        "registry-1.docker.io/ai/smollm2",
    ],
)
def test_short_and_long_ids_name_the_same_model(model_id: str) -> None:
    assert same_model("ai/smollm2:latest", model_id)


@pytest.mark.parametrize(
    "model_id", ["ai/smollm2:360M", "ai/smollm3", "me/smollm2", "ai/smollm2:Latest"]
)
def test_id_with_another_tag_name_or_organisation_is_a_different_model(model_id: str) -> None:
    assert not same_model("ai/smollm2:latest", model_id)


def test_both_hosts_of_hugging_face_name_the_same_model() -> None:
    assert same_model(
        "hf.co/bartowski/SmolLM2-GGUF", "huggingface.co/bartowski/smollm2-gguf:latest"
    )


def test_only_docker_hub_is_stripped() -> None:
    assert strip_docker_hub("docker.io/ai/smollm2:latest") == "ai/smollm2:latest"
    assert strip_docker_hub("hf.co/someone/tiny.gguf") == "hf.co/someone/tiny.gguf"


def test_display_id_has_no_registry_and_no_path() -> None:
    assert display_id("docker.io/ai/smollm2:latest") == "ai/smollm2:latest"
    assert display_id("/home/someone/models/tiny.Q4_1.gguf") == "tiny.Q4_1"
    assert display_id(r"C:\models\tiny.gguf") == "tiny"
    assert display_id("/home/someone/models/tiny.GGUF") == "tiny"
    assert display_id("llama3.2:1b") == "llama3.2:1b"


DIGITS = 32 * "5a"


@pytest.mark.parametrize(
    "other", [f"sha256:{DIGITS}", DIGITS, DIGITS[:12], f"sha256:{DIGITS[:12]}"]
)
def test_whole_and_shortened_digests_name_the_same_model(other: str) -> None:
    assert same_model(f"sha256:{DIGITS}", other)
    assert same_model(other.upper(), f"sha256:{DIGITS}")


@pytest.mark.parametrize("other", [DIGITS[:11], DIGITS[:13], "b" * 12, "sha256:", "ai/" + DIGITS])
def test_other_digests_and_names_are_different_models(other: str) -> None:
    assert not same_model(f"sha256:{DIGITS}", other)


# By owner: ids that name "smollm2:latest" or its like, and ids that do not.
@pytest.mark.parametrize(
    ("owner", "listed", "model_id", "is_named"),
    [
        ("docker", "ai/smollm2:latest", "smollm2", True),
        ("library", "smollm2:latest", "SmolLM2", True),
        ("library", "smollm2:latest", "library/smollm2", True),
        ("library", "smollm2:latest", "registry.ollama.ai/library/smollm2:Latest", True),
        ("library", "smollm2:latest", "ai/smollm2", False),
        ("vllm", "smollm2", "smollm2", True),
        ("vllm", "smollm2", "ai/smollm2", False),
        ("", "smollm2", "library/smollm2", False),
        ("me", "hf.co/me/Smol-GGUF:Q4_K_M", "https://huggingface.co/me/smol-gguf:q4_k_m", True),
        ("docker", "huggingface.co/me/smol-gguf:Q4_K_M", "hf.co/me/Smol-GGUF:Q4_K_M", True),
        ("docker", "huggingface.co/me/smol-gguf:Q4_K_M", "hf.co/me/Smol-GGUF:q4_k_m", False),
        ("llamacpp", "/models/Tiny Q4_1.gguf", "Tiny Q4_1.gguf", True),
        ("llamacpp", "/models/tiny.gguf", "/other/tiny.gguf", False),
    ],
)
def test_names_of_a_model_are_those_that_its_server_takes(
    owner: str, listed: str, model_id: str, *, is_named: bool
) -> None:
    entry = {"id": listed, "owned_by": owner}
    assert find_named_model(model_id, [entry]) == (entry if is_named else None)


def test_llama_cpp_uses_its_only_model_for_every_id_but_not_as_a_router() -> None:
    entry = {"id": "me/tiny:Q8_0", "owned_by": "llamacpp", "aliases": ["tiny", 5]}
    assert find_model("any", [entry]) is entry
    assert find_model("any", [entry | {"status": {"value": "unloaded"}}]) is None
    assert find_model("tiny", [entry, {"id": "other", "owned_by": "llamacpp"}]) is entry
