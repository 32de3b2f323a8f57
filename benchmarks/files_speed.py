"""Measures how fast files are read and searched, and how much memory that needs.

The texts are generated. Times depend on what else the machine does: its load stands beside them.
"""

import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from benchmarks.files_data import generate
from benchmarks.processes import Program

if TYPE_CHECKING:
    from benchmarks.files import FilesApi

_SMALL_FILES = 1400
_SMALL_BYTES = 1100
_SIZES_MB = (1.45, 20.0)
_QUESTIONS = 60
_LARGE_MB = 200
_SAMPLE_SECONDS = 0.1


def measure_speed(api: "FilesApi", program: Program, *, is_large: bool) -> None:
    questions = [question.text for question in generate().questions]
    chosen = random.Random(1).sample(questions, _QUESTIONS)  # noqa: S311  # not a secret
    with timed(program, f"{_SMALL_FILES:,} files of {_SMALL_BYTES} bytes, upload to ready"):
        text = text_of(_SMALL_FILES * _SMALL_BYTES / 1e6)
        parts = [text[n * _SMALL_BYTES :][:_SMALL_BYTES] for n in range(_SMALL_FILES)]
        api.create_store({f"{n}.txt": part for n, part in enumerate(parts)})
    for megabytes in _SIZES_MB:
        name = f"{megabytes} MB of text"
        with timed(program, f"{name}, upload to ready"):
            store = api.create_store({"large.txt": text_of(megabytes)})
        print(times(f"search in {name}", [_search_seconds(api, store, q) for q in chosen]))
    if is_large:
        _measure_memory(api, program)


def _search_seconds(api: "FilesApi", store: str, question: str) -> float:
    started = time.perf_counter()
    api.search(store, question)
    return time.perf_counter() - started


def _measure_memory(api: "FilesApi", program: Program) -> None:
    text = text_of(_LARGE_MB)
    with (
        timed(program, f"{_LARGE_MB} MB of text, upload to ready"),
        peak_memory(program) as peak,
    ):
        api.create_store({"huge.txt": text})
    print(f"  peak memory of the API and its readers: {max(peak) / 1e6:.0f} MB")


def text_of(megabytes: float) -> str:
    """Return so much text, of generated documents that are all different."""
    parts: list[str] = []
    size, seed = 0, 1
    while size < megabytes * 1e6:
        parts += generate(seed=seed).files.values()
        size, seed = sum(map(len, parts)), seed + 1
    return "\n\n".join(parts)[: int(megabytes * 1e6)]


@contextmanager
def timed(program: Program, name: str) -> Iterator[None]:
    """Print the seconds that a block takes, those of the API's processor, and the load."""
    started, cpu = time.perf_counter(), program.cpu_seconds()
    yield
    seconds, cpu = time.perf_counter() - started, program.cpu_seconds() - cpu
    load = os.getloadavg()[0]
    print(f"{name}: {seconds:.1f} s, {cpu:.1f} s of the API's processor, at load {load:.0f}")


@contextmanager
def peak_memory(program: Program) -> Iterator[list[int]]:
    """Yield what the API and its child processes have in memory together, measured all the time."""
    sizes, has_ended = [0], threading.Event()

    def sample() -> None:
        while not has_ended.wait(_SAMPLE_SECONDS):
            sizes.append(_resident_bytes(program))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield sizes
    finally:
        has_ended.set()
        thread.join()


def _resident_bytes(program: Program) -> int:
    total = program.resident_bytes()
    for child in program.process.children(recursive=True):
        try:
            total += int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total


def times(name: str, seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[int(len(ordered) * 0.95)]
    return f"{name}: median {statistics.median(ordered) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
