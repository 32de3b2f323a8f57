"""Answers from files: every place that they cite is the text, whatever that is."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given

from backend.conversations.citations import numbered
from backend.database.database import open_database
from backend.errors import InvalidRequestError
from backend.files.answers.edges import quote_edges
from backend.files.answers.mentions import MentionFinder, read_phrase
from backend.files.answers.question import FileQuestion
from backend.files.answers.searched import search_question
from backend.files.answers.selection import SelectedFiles
from backend.files.answers.summary_parts import split_parts
from backend.files.answers.tokens import estimate_tokens
from backend.files.reading.document import Section
from backend.files.reading.text_writer import normalize
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.search import PassageSearch
from backend.files.storage import FileStorage
from backend.model_server.model_sizes import parameters_in_id
from backend.settings import Settings
from tests.support.retrieval import TextDocument

pytestmark = pytest.mark.anyio
ENDS = [". ", "! ", "? ", "\n", "\n\n", "; ", " … ", ".” "]
TEXTS = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=30), st.sampled_from(ENDS)),
    max_size=60,
).map(lambda parts: normalize("".join(text + end for text, end in parts)))


def question(text: str, names: dict[str, str]) -> FileQuestion:
    return FileQuestion(typed=text, text=text, previous="", files=SelectedFiles(names))


@pytest.fixture
async def index(settings: Settings) -> AsyncIterator[PassageIndex]:
    async with open_database(settings) as database:
        yield PassageIndex(database)


@given(text=TEXTS, asked=st.text(max_size=40))
@hypothesis.settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_place_that_is_cited_is_the_text(
    index: PassageIndex, text: str, asked: str
) -> None:
    await index.add("any", TextDocument(text))
    words = f"{asked} {text[: len(text) // 2]}"  # a question that is often answered
    searched = await search_question(
        question(words, {"any": "any.txt"}),
        "quotes",
        search=PassageSearch(index),
        index=index,
        max_words=600,
    )
    assert searched.retrieval.read <= searched.retrieval.of
    first = await quote_edges(searched.question, index, "first", 3)
    last = await quote_edges(searched.question, index, "last", 3)
    for answer in (searched.quotes(), first, last):
        for citation in answer.citations:
            assert text[citation.start : citation.end] == citation.quote
            before = answer.text[: citation.index]
            assert before.endswith(f"“{citation.quote}”")
        for passage in [*answer.retrieval.passages, answer.retrieval.nearest]:
            assert passage is None or text[passage.start : passage.end] == passage.text


@given(text=TEXTS, phrase=st.text("aé b", min_size=1, max_size=4))
@hypothesis.settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_mention_that_is_cited_is_the_text(
    index: PassageIndex, tmp_path: Path, text: str, phrase: str
) -> None:
    with suppress(InvalidRequestError):  # it has no words
        phrase = read_phrase(phrase + "aé", "")
    storage = FileStorage(tmp_path)
    with storage.temporary_file():
        storage.create_text("any").write_bytes((text + phrase).encode())
    await index.add("any", TextDocument(text + phrase))
    finder = MentionFinder(storage, index)
    answer = await finder.answer(question("", {"any": "any.txt"}), "mentions", phrase)
    for citation in answer.citations:
        assert (text + phrase)[citation.start : citation.end] == citation.quote
    assert answer.retrieval.total == len(answer.citations)


async def test_edges_of_several_files_are_under_their_names(index: PassageIndex) -> None:
    await index.add("a", TextDocument("One. Two. Three.", [Section(0, 16, page=7)]))
    await index.add("b", TextDocument("Four. Five."))
    asked = question("Go", {"a": "a.pdf", "b": "b.txt", "empty": "c.txt"})
    answer = await quote_edges(asked, index, "last", 2)
    assert answer.text == "a.pdf:\n\n“Two.”\n\n“Three.”\n\nb.txt:\n\n“Four.”\n\n“Five.”"
    assert [citation.page for citation in answer.citations] == [7, 7, None, None]
    assert (answer.retrieval.read, answer.retrieval.of, answer.retrieval.files) == (2, 2, 3)


async def test_parts_of_a_summary_are_all_of_the_text_within_a_limit(index: PassageIndex) -> None:
    text = "".join(f"Sentence {n} of the text is here. " for n in range(1600))
    await index.add("a", TextDocument(text))
    asked = question("Go", {"a": "a.txt"})
    parts, retrieval = await split_parts(asked, index, 2000)
    assert "".join(parts) == f"a.txt:\n{text.strip()}"
    assert all(estimate_tokens(part) <= 2000 for part in parts)
    assert retrieval.read == retrieval.of
    with pytest.raises(InvalidRequestError, match="more than 64 requests"):
        await split_parts(asked, index, 10)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("ai/smollm2:135M-Q4_K_M", 135e6),
        ("ai/smollm2", None),
        ("llama-3.2-1b-instruct", 1e9),
        ("qwen2.5:0.5b", 5e8),
        ("Meta-Llama-3-8B", 8e9),
        ("SmolLM2-1.7B-Instruct-Q8_0", 1.7e9),
        ("mixtral-8x7b", 56e9),
        ("qwen3-30b-a3b", 30e9),
        ("gemma-3n-e4b", 4e9),
        ("foo-4bit", None),
        ("model-b1234", None),
    ],
)
def test_parameters_are_read_from_an_id(model: str, parameters: float | None) -> None:
    assert parameters_in_id(model) == parameters


def test_numbers_stand_where_a_text_is_cited() -> None:
    first = {"file_id": "f", "filename": "a.pdf", "page": 2, "start": 0, "end": 3, "quote": "One"}
    second = first | {"start": 5, "end": 8, "quote": "Two", "match": "similar_passage"}
    cited = [first | {"index": 3}, second | {"index": 8}, first | {"index": 8}]
    text, lines = numbered("One. Two.", cited)
    assert text == "One[1]. Two[2][1]."
    assert lines == ["a.pdf, page 2: “One”", "a.pdf, page 2 (similar passage): “Two”"]
