"""What of a server's words a client may read."""

import time

import pytest

from backend.model_server.error_mapping.plain_sentence import join_sentences, plain_sentence

SECRETS = [
    "/home/ann/models/tiny.gguf failed",
    "C:\\models\\x",
    "\\\\nas\\models",
    "file=/home/ann/x",
    "`/home/ann/x`",
    "~/models",
    "./models",
    "file:///home/ann/x",
    "https://internal.example/docs",
    "models/bundles/sha256",
    "models/x.bin",
    "tiny.gguf",
    "server.cpp:123",
    "/etc",
    "db.internal:5432",
    "vllm-worker.prod.svc.cluster.local",
    "api.example.com",
    "localhost",
    "10.0.0.7",
    "[::1]:80",
    "sk-proj-1234567890",
    "hf_abcdefgh1234",
    "Bearer abc",
    "sk-proj-abcdEFGHijkl",
    "AIzaSyD-abcdefghijklmnop",
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
    "AKIAIOSFODNN7EXAMPLE",
    "0123456789abcdef0123456789abcdef",
    "password=hunter2",
    "ann@box",
    "gpu-node-17.prod",
    "ip-10-0-3-17",
]
LOGS = [
    "0.00.728.681 I slot print_timing",
    "slot launch_slot_: id 0 | task 12",
    "srv  llama_server: exiting",
    "llama_model_load: broke",
    "<html>",
    "<!DOCTYPE html>",
    "<?xml version='1.0'?>",
    "Traceback (most recent call last):",
    "at 0x7ffdeadbeef",
    "\x1b[31m",
    "a\x00b",
    "TypeError: x\n    at run (index:1)",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_sentence_with_a_path_an_address_or_a_key_is_omitted(secret: str) -> None:
    assert plain_sentence(f"It failed: {secret}") == ""
    assert plain_sentence(f"It failed. See {secret} for more. Try again.") == "It failed. Try again"


@pytest.mark.parametrize("log", LOGS)
def test_log_or_page_is_omitted(log: str) -> None:
    assert plain_sentence(f"It failed. {log}") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Model ai/smollm2 is rate limited",
        "Model HuggingFaceTB/SmolLM2-1.7B-Instruct is rate limited",
        "Use text/plain and/or application",
        "Expected a value <= 128, but got 200 instead",
        "Field 'temperature': type must be number, but is string",
        "The key-value pairs are wrong",
        "The secret of max_completion_tokens_details is unknown_parameter_name",
        "Model Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL is rate limited",
        "Model smollm2_135m_instruct_q4_k_m is rate limited",
        "Das Modell gibt es nicht",
        "模型不存在",
    ],
)
def test_plain_sentence_is_kept(text: str) -> None:
    assert plain_sentence(text + ".") == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ValueError: No such field", "No such field"),
        ("litellm.BadRequestError: OpenAIException - No such field", "No such field"),
        ("type must be number [json.exception.type_error.302] x", "type must be number x"),
        ("Unable to parse: JSON schema error at #: no type", "JSON schema error at #: no type"),
        ("registry.ollama.ai/library/x does not think", "x does not think"),
        ("Limit in organization org-Ab12cd34 reached", "Limit reached"),
        ("first line\nsecond line", "first line"),
        ("[1, 2", ""),
        ("", ""),
        ("…", ""),
    ],
)
def test_noise_is_removed(text: str, sentence: str) -> None:
    assert plain_sentence(text) == sentence


def test_invisible_characters_are_removed() -> None:
    assert plain_sentence("seed \u202emust be \u200bpositive!") == "seed must be positive"


def test_sentences_are_joined_each_once_and_shortened() -> None:
    assert join_sentences(["One.", "See /etc.", "Two", "One."]) == "One; Two"
    long = join_sentences(["word " * 100, "end"])
    assert len(long) <= 300
    assert long.endswith("word…")


@pytest.mark.parametrize(
    "text", ["/" * 10_000, "a/" * 5000, "a." * 5000, "A" * 10_000, "a.Error: " * 1000, ". " * 5000]
)
def test_hostile_text_is_shortened_fast(text: str) -> None:
    start = time.perf_counter()
    join_sentences([text] * 5)
    assert time.perf_counter() - start < 0.5
