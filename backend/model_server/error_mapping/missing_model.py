"""Recognizes that a model server does not have a model, in each model server's words."""

import re

from backend.errors import ModelNotFoundError
from backend.model_server.error_mapping.body import ErrorBody

# "model file not found" is about something else.
_PARTS = r"file|files|list|route|path|directory|runner|server|type|card|config|tokenizer|output"
_MISSING = re.compile(
    # llama.cpp, vLLM, Ollama, LM Studio, OpenAI: model 'x' not found, does not exist
    r"\bmodels?\b[ :=]{0,3}(?:name=|id=?)?"
    rf"(?:[\"'`][^\"'`]{{1,200}}[\"'`]|(?!(?:{_PARTS})\b)\S{{1,200}})?,? ?"
    r"(?:is |was |could |does |do )?"
    r"(?:not (?:(?:be )?found|exist|installed|served)|has been decommissioned)\b"
    # Mistral, LiteLLM, LM Studio, OpenRouter, Bedrock, Together
    r"|\b(?:invalid|unknown) model(?: name| id\w*)?(?:: (?!tensor)| passed| [\"'`])"
    r"|\bnot a valid model\b"
    r"|\bmodel identifier is invalid|\bno endpoints found for|\bunable to access model"
    # llama-swap
    r"|\bcould not find (?:real modelID|suitable (?:inference )?handler)"
    r"|\bno models? (?:is |are |have been )?(?:currently )?loaded"
    r"|\bpull model manifest: file does not exist|\bno such model\b"
    r"|\bthere is no model (?:with|named|called)\b",
    re.IGNORECASE,
)
_NONE_LOADED = re.compile(r"\bno models?\b.{0,20} loaded", re.IGNORECASE)
# With status 404: Anthropic names just the model, Docker Model Runner has words in between.
_MENTIONED = re.compile(
    r"^model: \S+$|^unknown model\b"
    r"|\bmodel\b.{0,300}\b(?:not found|does not exist|not available|not currently served)",
    re.IGNORECASE,
)
_CODES = (
    *("modelnotfound", "modelnotavailable", "modelnotsupported", "modeldecommissioned"),
    *("unknownmodel", "invalidmodel", "deploymentnotfound"),
)


def missing_model(said: ErrorBody) -> ModelNotFoundError | None:
    """Return the error if the server says so in words, else None."""
    return _not_found(said) if _MISSING.search(_first_line(said)) else None


def missing_model_by_code(status: int | None, said: ErrorBody) -> ModelNotFoundError | None:
    """Return the error if a code, or status 404 and the mention of a model, says so, else None."""
    has_code = any(
        re.sub(r"[^a-z]", "", label.lower()) in _CODES
        for label in said.labels
        if isinstance(label, str)
    )
    is_mentioned = status == 404 and _MENTIONED.search(_first_line(said))
    return _not_found(said) if has_code or is_mentioned else None


def _first_line(said: ErrorBody) -> str:
    return said.message.partition("\n")[0]  # a log may follow


def _not_found(said: ErrorBody) -> ModelNotFoundError:
    if _NONE_LOADED.search(_first_line(said)):
        return ModelNotFoundError(
            "The model server has no model loaded. Load one there, or choose one from GET /models.",
            param="model",
        )
    return ModelNotFoundError(
        "The model server does not have this model. Pull it (`docker model pull …`), or "
        "choose one from GET /models.",
        param="model",
    )
