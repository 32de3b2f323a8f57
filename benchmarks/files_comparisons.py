"""Compares answers from files: kinds of the same text, quotes with a model's answers, and sizes."""

import importlib.metadata
import statistics
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from benchmarks.files_data import Data

if TYPE_CHECKING:
    from benchmarks.files import FilesApi

_TWINS = (".md", ".pdf", ".docx", ".html")
_TWIN_FILES = 4  # of the data, with all of their questions
_READERS = ("pypdfium2", "python-docx", "lxml")  # installed to read files, and for nothing else
Coverage = Callable[[list[str], list[str]], float]
F1 = Callable[[list[str], list[str]], float]


def measure_twins(api: "FilesApi", data: Data, coverage: Coverage) -> None:
    """Print cov@5 of the same texts as files of different kinds."""
    names = list(data.files)[:_TWIN_FILES]
    questions = [question for question in data.questions if question.file in names]
    for kind in _TWINS:
        stores = {
            name: api.create_store({PurePath(name).stem + kind: data.files[name]}) for name in names
        }
        shares = [
            coverage(question.excerpts, api.search(stores[question.file], question.text))
            for question in questions
        ]
        print(f"cov@5 of {len(names)} texts as {kind}: {statistics.mean(shares):.3f}")


def measure_model(api: "FilesApi", data: Data, f1: F1, *, count: int) -> None:
    """Print F1 and seconds of quotes, and of what the model makes of the same passages."""
    questions = data.questions[:: max(len(data.questions) // count, 1)][:count]
    stores = {
        name: api.create_store({name: data.files[name]})
        for name in {question.file for question in questions}
    }
    answers: dict[str, Callable[[str, str], list[str]]] = {
        "quotes": lambda store, text: api.quote(store, text) or [],
        "the model's answers": lambda store, text: [api.answer(store, text)],
    }
    for name, answer in answers.items():
        started = time.perf_counter()
        scores = [f1(each.excerpts, answer(stores[each.file], each.text)) for each in questions]
        seconds = (time.perf_counter() - started) / len(questions)
        print(f"F1 of {name}: {statistics.mean(scores):.3f}, {seconds:.2f} s each")


def print_install_size() -> None:
    """Print how many bytes the libraries have that read files."""
    sizes = {name: _installed_bytes(name) / 1e6 for name in _READERS}
    parts = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    print(f"libraries that read files: {sum(sizes.values()):.1f} MB ({parts})")


def _installed_bytes(name: str) -> int:
    files = importlib.metadata.files(name) or []
    paths = [Path(file.locate()) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())
