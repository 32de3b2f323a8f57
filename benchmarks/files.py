"""Measures answers from files: `python -m benchmarks.files`, `make bench-files`.

Files are uploaded, and questions asked through the routes of collections and of the chat. cov@k is
the share of the expected excerpts' sequences of four words that the first k passages have; F1 is
about the content words of quotes. Questions of one file are put to the others as well, where they
should have no answer. The data is generated; `--data` names a folder with other data. No model is
loaded, as quotes need none, but with `--model`, which compares them with what the embedded model
answers.
"""

import argparse
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.files_comparisons import measure_model, measure_twins, print_install_size
from benchmarks.files_data import GENERAL_QUESTIONS, Data, Question, generate, load
from benchmarks.files_kinds import encode
from benchmarks.files_speed import measure_speed, times
from benchmarks.processes import (
    MODEL_ID,
    Program,
    api_of_real_model,
    running_api,
    running_model_server,
)

TIMEOUT_SECONDS = 120.0
MAX_TOKENS = 200  # of an answer of the model: a tiny one does not always end by itself
CUTOFFS = (1, 3, 5)
_STOP_WORDS = frozenset(
    """
    a an and are as at be by for from had has have he her his in is it its of on or she that the
    their they this to was were what when where which who why will with
    """.split()  # noqa: SIM905
)


class FilesApi:
    """The API's routes of files, collections and chat."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def create_store(self, names_and_texts: dict[str, str]) -> str:
        """Upload files and return the id of a collection of them, when all have been read."""
        ids = [
            self._post(
                "/files", files={"file": (name, encode(name, text))}, data={"purpose": "user_data"}
            )
            for name, text in names_and_texts.items()
        ]
        file_ids = [answer["id"] for answer in ids]
        store: str = self._post("/vector_stores", json={"file_ids": file_ids})["id"]
        while True:
            counts = self._client.get(f"/vector_stores/{store}").json()["file_counts"]
            if counts["failed"]:
                raise SystemExit(f"{counts['failed']} files could not be read.")
            if not counts["in_progress"]:
                return store
            time.sleep(0.02)

    def search(self, store: str, question: str) -> list[str]:
        return [hit["content"][0]["text"] for hit in self.hits(store, question)]

    def hits(self, store: str, question: str) -> list[dict[str, Any]]:
        body = {"query": question, "max_num_results": max(CUTOFFS)}
        hits: list[dict[str, Any]] = self._post(f"/vector_stores/{store}/search", json=body)["data"]
        return hits

    def text(self, file_id: str) -> str:
        return self._client.get(f"/files/{file_id}/text").raise_for_status().text

    def quote(self, store: str, question: str) -> list[str] | None:
        """Return the quotes that answer a question, or None if the API does not answer so."""
        response = self._ask(store, question, "quotes")
        if response.status_code == httpx.codes.BAD_REQUEST:
            return None
        answer = response.raise_for_status().json()
        annotations = answer["choices"][0]["message"].get("annotations") or []
        return [annotation["quote"] for annotation in annotations]

    def answer(self, store: str, question: str) -> str:
        """Return what the model makes of the passages."""
        answer = self._ask(store, question, "passages").raise_for_status().json()
        content: str = answer["choices"][0]["message"]["content"]
        return content

    def _ask(self, store: str, question: str, mode: str) -> httpx.Response:
        body = {
            "model": MODEL_ID,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            "smolchat": {"file_search": {"vector_store_ids": [store], "mode": mode}},
        }
        return self._client.post("/chat", json=body)

    def _post(self, path: str, **content: Any) -> dict[str, Any]:
        response = self._client.post(path, **content)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def coverage(excerpts: list[str], passages: list[str]) -> float:
    """Return the share of the excerpts' sequences of four words that the passages have."""
    expected = [sequence for excerpt in excerpts for sequence in _sequences(words(excerpt))]
    present = [f" {' '.join(words(passage))} " for passage in passages]
    contained = sum(any(f" {sequence} " in passage for passage in present) for sequence in expected)
    return contained / max(len(expected), 1)


def f1(excerpts: list[str], quotes: list[str]) -> float:
    expected, quoted = (set(words(" ".join(texts))) - _STOP_WORDS for texts in (excerpts, quotes))
    return 2 * len(expected & quoted) / max(len(expected) + len(quoted), 1)


def _sequences(tokens: list[str]) -> Iterator[str]:
    for start in range(max(len(tokens) - 3, 1)):
        yield " ".join(tokens[start : start + 4])


def measure(api: FilesApi, data: Data) -> None:
    started = time.perf_counter()
    stores = {name: api.create_store({name: text}) for name, text in data.files.items()}
    characters = sum(map(len, data.files.values()))
    print(f"{characters / 1e6:.2f} MB read and indexed in {time.perf_counter() - started:.1f} s")
    measure_search(api, data.questions, stores)
    measure_places(api, data.questions, stores)
    if api.quote(next(iter(stores.values())), data.questions[0].text) is None:
        print("quotes: not measured, as the API's chat does not answer from files")
        return
    measure_quotes(api, data.questions, stores)
    measure_refusals(api, data.questions, stores)


def measure_search(api: FilesApi, questions: list[Question], stores: dict[str, str]) -> None:
    shares, seconds, lengths = defaultdict[int, list[float]](list), [], []
    for question in questions:
        started = time.perf_counter()
        passages = api.search(stores[question.file], question.text)
        seconds.append(time.perf_counter() - started)
        lengths.append(sum(len(passage.split()) for passage in passages))
        for cutoff in CUTOFFS:
            shares[cutoff].append(coverage(question.excerpts, passages[:cutoff]))
    for cutoff in CUTOFFS:
        print(f"cov@{cutoff}  {statistics.mean(shares[cutoff]):.3f}")
    print(f"words in {max(CUTOFFS)} passages: at most {max(lengths)}")
    print(times("search", seconds))


def measure_places(api: FilesApi, questions: list[Question], stores: dict[str, str]) -> None:
    """Count the passages that are the text of their file at the place they are said to be."""
    texts: dict[str, str] = {}
    right, count = 0, 0
    for question in questions:
        for hit in api.hits(stores[question.file], question.text):
            if hit["file_id"] not in texts:
                texts[hit["file_id"]] = api.text(hit["file_id"])
            text = texts[hit["file_id"]]
            [content] = hit["content"]
            right += text[content["start"] : content["end"]] == content["text"]
            count += 1
    print(f"passages at their place: {right} of {count}")


def measure_quotes(api: FilesApi, questions: list[Question], stores: dict[str, str]) -> None:
    scores, seconds = [], []
    for question in questions:
        started = time.perf_counter()
        quotes = api.quote(stores[question.file], question.text) or []
        seconds.append(time.perf_counter() - started)
        if quotes:
            scores.append(f1(question.excerpts, quotes))
    print(f"answered  {len(scores)} of {len(questions)}")
    print(f"quotes F1  {statistics.mean(scores or [0.0]):.3f}")
    print(times("quotes", seconds))


def measure_refusals(api: FilesApi, questions: list[Question], stores: dict[str, str]) -> None:
    names = list(stores)
    others = [
        (names[(names.index(question.file) + 1) % len(names)], question.text)
        for question in questions
        if len(names) > 1
    ]
    general = [(name, text) for name in names for text in GENERAL_QUESTIONS]
    for kind, pairs in (("other files'", others), ("general", general)):
        stopped = sum(not api.quote(stores[name], text) for name, text in pairs)
        print(f"{kind} questions without an answer: {stopped} of {len(pairs)}")


@contextmanager
def _running() -> Iterator[tuple[FilesApi, Program]]:
    with (
        running_model_server() as model_server,
        running_api(model_server) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=TIMEOUT_SECONDS) as client,
    ):
        yield FilesApi(client), api


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of files with questions.jsonl")
    parser.add_argument("--large", action="store_true", help="a text of 200 MB, and its memory")
    parser.add_argument(
        "--model", type=int, default=0, metavar="N", help="ask the embedded model N questions too"
    )
    arguments = parser.parse_args()
    data = load(arguments.data) if arguments.data else generate()
    with _running() as (api, program):
        measure(api, data)
        measure_twins(api, data, coverage)
        print_install_size()
        measure_speed(api, program, is_large=arguments.large)
    if arguments.model:
        with api_of_real_model(TIMEOUT_SECONDS) as client:
            measure_model(FilesApi(client), data, f1, count=arguments.model)


if __name__ == "__main__":
    main()
