"""What the engine reads in a model file, and how it rejects what is not a file."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.gguf import MAX_ENTRIES, read_metadata
from engine.model_file import ModelFile, ModelFileError, inspect_model_file
from tests.support.gguf import DAMAGED, entry, gguf, string


def inspect(folder: Path, content: bytes) -> ModelFile:
    path = folder / "model.gguf"
    path.write_bytes(content)
    return inspect_model_file(path)


def rejection_message(path: Path) -> str:
    with pytest.raises(ModelFileError) as error:
        inspect_model_file(path)
    assert str(path) in str(error.value)
    assert "SMOLCHAT_ENGINE_MODEL" in str(error.value)
    return str(error.value)


def test_bundled_model_is_found_and_described() -> None:
    model_file = inspect_model_file(None)
    assert model_file.path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert model_file.size_bytes == 98_362_432
    assert model_file.size_label == "135M"
    assert model_file.license == "apache-2.0"
    assert model_file.trained_context == 8192


def test_missing_metadata_is_none(tmp_path: Path) -> None:
    model_file = inspect(tmp_path, gguf())
    assert (model_file.name, model_file.license) == (None, None)
    assert (model_file.size_label, model_file.trained_context) == (None, None)


def test_model_name_cannot_control_the_terminal(tmp_path: Path) -> None:
    entries = entry("general.name", 8, string("a\x1b[2J\nb" + "c" * 200))
    assert inspect(tmp_path, gguf(entries)).name == ("a[2Jb" + "c" * 200)[:80]


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_file_is_left_to_llama_cpp(tmp_path: Path, case: str) -> None:
    model_file = inspect(tmp_path, DAMAGED[case])
    assert (model_file.name, model_file.trained_context) == (None, None)


def test_entries_before_the_damage_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf(entry("general.name", 8, string("Tiny")), entry("key", 77, b"")))
    assert read_metadata(path) == {"general.name": "Tiny"}


@pytest.mark.parametrize("length", [5, 23, 24, 100, 3000, 1_000_000, 50_000_000])
def test_truncated_file_is_left_to_llama_cpp(tmp_path: Path, length: int) -> None:
    with inspect_model_file(None).path.open("rb") as file:
        model_file = inspect(tmp_path, file.read(length))
    assert model_file.trained_context == (8192 if length >= 3000 else None)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_nothing(_path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_nothing, "No such file"),
        (make_folder, "is a folder"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_path_that_is_not_a_file_is_rejected(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "model.gguf"
    make(path)
    assert reason in rejection_message(path)


def test_file_name_that_the_system_refuses_is_rejected() -> None:
    assert "too long" in rejection_message(Path("/", "x" * 300))


def test_number_of_entries_in_a_damaged_file_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    claimed = struct.pack("<IQQ", 3, 0, 2**64 - 1)
    entries = b"".join(entry(f"key.{number}", 4, bytes(4)) for number in range(2 * MAX_ENTRIES))
    path.write_bytes(b"GGUF" + claimed + entries)
    assert len(read_metadata(path)) == MAX_ENTRIES


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.touch(mode=0o000)
    assert "Permission denied" in rejection_message(path)
