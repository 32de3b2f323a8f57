"""Parameters that suit a model, by the many ids that a model has."""

import pytest

from controls.model_defaults import changed_parameters, model_defaults

SMOLLM2 = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}


@pytest.mark.parametrize(
    "model",
    [
        "ai/smollm2",
        "ai/smollm2:latest",
        "docker.io/ai/smollm2:360M-Q4_K_M",
        "smollm2:135m",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "hf.co/bartowski/SmolLM2-360M-Instruct-GGUF:Q4_K_M",
        "/models/SmolLM2-135M-Instruct.Q4_1.gguf",
        r"C:\models\smollm2.gguf",
        "smollm-2_135m",
    ],
)
def test_family_is_found_by_any_id_of_a_model(model: str) -> None:
    assert model_defaults(model, server_name="llama.cpp") == SMOLLM2


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        ("HuggingFaceTB/SmolLM3-3B", 0.6),
        ("ai/llama3.2:1B-Q4_0", 0.6),
        ("meta-llama/Llama-3.2-3B-Instruct", 0.6),
        ("ai/gemma3:270M-F16", 1.0),
        ("google/gemma-3n-E2B-it", 1.0),
        ("ai/qwen3:0.6B-Q4_0", 0.6),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 0.6),
    ],
)
def test_other_families_have_their_own_values(model: str, temperature: float) -> None:
    assert model_defaults(model, server_name="llama.cpp")["temperature"] == temperature


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "gpt-4o",
        "ai/smollm:135M",
        "smollm2.5-135m",
        "mysmollm2",
        "smollm2/other",
        "qwen3.5:4b",
        "Qwen/Qwen3-4B-Instruct-2507",
        "qwen3-coder:30b",
        "llama-3.1-8b",
        "gemma-2-2b",
        "functiongemma",
        64 * "5",
    ],
)
def test_unknown_model_keeps_the_server_s_own_values(model: str | None) -> None:
    assert model_defaults(model, server_name="llama.cpp") == {}


@pytest.mark.parametrize("server_name", [None, "Ollama", "vLLM"])
def test_server_that_may_refuse_it_gets_no_parameter_of_llama_cpp(server_name: str | None) -> None:
    assert model_defaults("smollm2", server_name=server_name) == {"temperature": 0.2, "top_p": 0.9}
    assert "top_k" not in model_defaults("gemma3", server_name=server_name)


def test_changed_parameters_are_those_that_differ_from_what_suits_the_model() -> None:
    sent = {"temperature": 0.2, "top_p": 0.5, "repeat_penalty": 1.1, "seed": 1}
    assert changed_parameters(sent, "ai/smollm2") == {"top_p": 0.5, "seed": 1}
    assert changed_parameters(sent, "other") == sent
