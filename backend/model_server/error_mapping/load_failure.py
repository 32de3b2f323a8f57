"""Recognizes that a model could not start, or stopped while it answered, in a server's log.

The log itself, with its paths and the timings of other users' requests, is never part of an error.
"""

import re
from collections.abc import Callable

from backend.errors import ModelLoadFailedError, ModelServerError

_LOAD_FAILED = re.compile(
    # Docker Model Runner
    r"unable to (?:load|start) runner|waiting for runner to be ready"
    r"|(?:memory|VRAM|resources) to load\b"
    # Ollama
    r"|llama[ -](?:runner|server) (?:process )?(?:has terminated|exited|no longer running)"
    r"|waiting for llama runner to start|requires more (?:system )?memory \("
    r"|not supported by your version"
    # llama.cpp, LM Studio, LocalAI, llama-swap, vLLM
    r"|(?:failed|unable|error|could not) (?:to )?(?:load|start)(?:ing)? (?:the )?(?:model|llama)\b"
    r"|\bmodel\b.{0,200}? (?:failed to (?:load|start)|(?:could not|cannot) be loaded)\b"
    r"|\bmodel load(?:ing)? (?:was stopped|error|failed)|\bloading (?:the )?model failed"
    r"|\bmodel (?:\S{1,200} )?(?:is )?not (?:loaded|running)\b|upstream command exited"
    r"|engine (?:core )?initialization failed|memory for the cache blocks"
    r"|(?:unknown|unsupported) (?:model )?architecture",
    re.IGNORECASE,
)
_CRASHED = re.compile(
    r"terminated unexpectedly|unexpectedly stopped"
    r"|\b(?:model|process|runner|worker|engine) (?:has )?(?:crashed|died)\b"
    r"|\bEngineDeadError|\bEngineCore encountered|background loop has errored"
    r"|segmentation fault|\bsignal: (?:killed|aborted)|running the model: unexpected EOF",
    re.IGNORECASE,
)
_UNLOADED = re.compile(  # LM Studio
    r"\bmodel (?:is |was |has |has been )?unloaded\b", re.IGNORECASE
)
_NO_MEMORY = re.compile(
    r"\b(?:not|n't) (?:have )?enough (?:\w+ )?(?:memory|V?RAM\b|resources)"
    r"|\binsufficient (?:\w+ )?(?:memory|V?RAM\b|resources)|\bout of (?:\w+ )?memory|\bOOM"
    r"|\b(?:failed|unable|attempting) to allocate|cannot allocate memory|(?:cuda|hip)Malloc failed"
    r"|\bmemory .{0,40}cannot be allocated"
    r"|OutOf(?:Device|Host)?Memory|requires more (?:system )?memory|bad_alloc|no available memory"
    r"|\btoo (?:large|big) (?:to fit (?:in|into)|for) (?:\w+ )?(?:memory|VRAM)|^model too big",
    re.IGNORECASE | re.MULTILINE,
)
_MEMORY_NEEDED = re.compile(
    r"more (?:system )?memory \((\d[\d.]* ?\w?i?B)\) than is available \((\d[\d.]* ?\w?i?B)\)"
)
_ARCHITECTURE = re.compile(
    r"(?:unknown|unsupported) (?:model )?architecture(?:: ?['\"]([\w.-]{1,60}))?"
    r"|\bmodel architectures \[?['\"]?([\w.-]{1,60})['\"]?\]? are not supported"
    r"|unknown (?:pre-tokenizer|model) type: ?'([\w.-]{1,60})|not supported by your version"
    r"|does not recognize this architecture",
    re.IGNORECASE,
)


def load_failure(text: str) -> ModelLoadFailedError | None:
    """Return the error with its reason in plain words if a model could not start, else None."""
    if not _LOAD_FAILED.search(text):
        return None
    for pattern, reason in _LOAD_REASONS:
        if match := pattern.search(text):
            return ModelLoadFailedError(
                f"The model server could not load the model: {reason(match)}."
            )
    return ModelLoadFailedError(
        "The model server could not load the model. See the API's log for details."
    )


def is_crash(text: str) -> bool:
    """Return True if the model's process failed; `text` is then its log."""
    return bool(_LOAD_FAILED.search(text) or _CRASHED.search(text))


def runtime_failure(text: str) -> ModelServerError | None:
    """Return the error if a model crashed, or ran out of memory, after it was loaded."""
    has_memory = not _NO_MEMORY.search(text)
    if _CRASHED.search(text):
        return ModelServerError(
            "The model process crashed during the response. Try again: it restarts automatically."
            if has_memory
            else "The model process crashed during the response: it ran out of memory. Choose a "
            "smaller model or a smaller context."
        )
    if _UNLOADED.search(text):
        return ModelServerError(
            "The model server unloaded the model before the response was complete. Try again, or "
            "load it there."
        )
    if has_memory:
        return None
    return ModelServerError(
        "The model server ran out of memory. Choose a smaller model or a smaller context."
    )


def _memory_reason(match: re.Match[str]) -> str:
    sizes = ""
    if needed := _MEMORY_NEEDED.search(match.string):
        sizes = f" (it needs {needed[1]}, {needed[2]} is available)"
    return f"it does not fit into memory{sizes}. Choose a smaller model or a smaller context"


def _architecture_reason(match: re.Match[str]) -> str:
    name = next(filter(None, match.groups()), "")
    return (
        f"it does not know the model's architecture{f' ({name})' if name else ''}. Update the "
        "model server, or choose another model"
    )


# The cause comes before its consequences, such as a time-out.
_LOAD_REASONS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (_ARCHITECTURE, _architecture_reason),
    (
        re.compile(
            r"\bcorrupt|not within the file bounds|invalid magic|failed to read magic|bad magic"
            r"|unexpected(?:ly reached)? end of file|digest mismatch|file is truncated",
            re.IGNORECASE,
        ),
        lambda _: "the model file is damaged. Delete it and pull it again",
    ),
    (_NO_MEMORY, _memory_reason),
    (
        re.compile(
            r"CUDA driver version is insufficient|no kernel image is available"
            r"|no CUDA-capable device|ErrorIncompatibleDriver",
            re.IGNORECASE,
        ),
        lambda _: "it cannot use the GPU with its driver. Update the driver, or use the CPU",
    ),
    (
        re.compile(r"0xc0000135|shared object file|loading shared libraries", re.IGNORECASE),
        lambda _: "one of its libraries is missing. Update or reinstall the model server",
    ),
    (
        re.compile(
            r"timed? out (?:waiting|while|after)|took too long|deadline exceeded|not ready after",
            re.IGNORECASE,
        ),
        lambda _: "it did not start in time. Try again, or choose a smaller model",
    ),
    (
        re.compile(r"\bnot (?:loaded|running)\b", re.IGNORECASE),
        lambda _: "it does not load this model on request. Load it there",
    ),
]
