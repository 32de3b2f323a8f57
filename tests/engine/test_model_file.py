"""What the engine reads in a model's file, and what it makes of files that are none."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.model_file import ModelFile, ModelFileError, inspect_model_file

HUGE = 2**63


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(*dimensions: int, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text("weight") + sizes + struct.pack("<IQ", 0, offset)


def gguf(
    *entries: bytes, tensors: tuple[bytes, ...] = (tensor(2, 4),), version: int = 3, data: int = 64
) -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(entries))
    return b"GGUF" + counts + b"".join(entries) + b"".join(tensors) + bytes(data)


def found(folder: Path, content: bytes) -> ModelFile:
    path = folder / "model.gguf"
    path.write_bytes(content)
    return inspect_model_file(path)


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as error:
        inspect_model_file(path)
    assert str(path) in str(error.value)
    assert "SMOLCHAT_ENGINE_MODEL" in str(error.value)
    return str(error.value)


def test_the_packages_model_is_found_and_described() -> None:
    weights = inspect_model_file(None)
    assert weights.path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert weights.size_bytes == 98_362_432
    assert weights.parameters == 134_515_008
    assert weights.quantization == "Q4_1"
    assert weights.license == "apache-2.0"
    assert weights.trained_context == 8192


def test_what_a_file_does_not_say_is_not_made_up(tmp_path: Path) -> None:
    weights = found(tmp_path, gguf())
    assert weights.parameters == 8
    assert (weights.name, weights.license) == (None, None)
    assert (weights.quantization, weights.trained_context) == (None, None)


def test_one_part_of_several_does_not_know_the_models_size(tmp_path: Path) -> None:
    part = gguf(entry("split.count", 2, struct.pack("<H", 3)))
    assert found(tmp_path, part).parameters is None


def test_a_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    name = found(tmp_path, gguf(entry("general.name", 8, text("a\x1b[2J\nb" + "c" * 200)))).name
    assert name == ("a[2Jb" + "c" * 200)[:80]


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return entry("list", 9, struct.pack("<IQ", kind, count) + items)


HOSTILE = {
    "empty": (b"", "no GGUF file"),
    "other": (b"PK\x03\x04" + bytes(100), "no GGUF file"),
    "magic only": (b"GGUF", "not whole"),
    "future version": (gguf(version=9), "version 9"),
    "other byte order": (b"GGUF" + struct.pack(">IQQ", 3, 1, 0), "version"),
    "tensors": (b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0), "damaged"),
    "entries": (b"GGUF" + struct.pack("<IQQ", 3, 1, HUGE), "damaged"),
    "text": (gguf(entry("key", 8, struct.pack("<Q", HUGE))), "not whole"),
    "items": (gguf(array(8, HUGE)), "damaged"),
    "items of nothing": (gguf(array(8, 1 << 22)), "not whole"),
    "numbers": (gguf(array(10, 1 << 22)), "not whole"),
    "lists of lists": (gguf(array(9, 1)), "unknown type"),
    "unknown value": (gguf(entry("key", 77, b"")), "unknown type"),
    "alignment": (gguf(entry("general.alignment", 8, text("x"))), "alignment"),
    "no weights": (gguf(tensors=()), "no weights"),
    "dimensions": (gguf(tensors=(tensor(*[2] * 9),)), "9 dimensions"),
    "more weights": (gguf(tensors=(tensor(HUGE, HUGE),)), "more weights"),
    "offset": (gguf(tensors=(tensor(2, offset=HUGE),)), "not whole"),
    "no data": (gguf(data=0), "not whole"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason(tmp_path: Path, case: str) -> None:
    content, reason = HOSTILE[case]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert reason in refusal(path)


@pytest.mark.parametrize("length", [5, 23, 24, 100, 3000, 1_000_000, 50_000_000])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.gguf"
    with inspect_model_file(None).path.open("rb") as whole:
        path.write_bytes(whole.read(length))
    assert "not whole" in refusal(path)


def folder(path: Path) -> None:
    path.mkdir()


def nothing(_path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [(nothing, "does not exist"), (folder, "is a folder"), (os.mkfifo, "not a regular file")],
)
def test_what_is_no_file_is_refused(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "model.gguf"
    make(path)
    assert reason in refusal(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.touch(mode=0o000)
    assert "Permission denied" in refusal(path)
