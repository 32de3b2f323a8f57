"""Splitting a text into passages."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend.files.reading.document import Section
from backend.files.retrieval.passages import (
    MAX_PASSAGE_CHARACTERS,
    MAX_SHORT_TEXT_CHARACTERS,
    Passage,
    StringText,
    split_passages,
)

SENTENCE = "The quick brown fox jumps over the lazy dog near the river. "


def split(text: str, *sections: Section) -> list[Passage]:
    return list(split_passages(StringText(text), sections))


def test_short_text_is_one_passage_with_the_first_heading() -> None:
    text = "# One\nFirst.\n# Two\nSecond."
    [passage] = split(text, Section(0, 13, heading="One"), Section(13, 26, heading="Two"))
    assert (passage.text, passage.start, passage.end) == (text, 0, len(text))
    assert passage.heading == "One"


def test_pages_of_a_short_text_are_passages_of_their_own() -> None:
    passages = split("First.\nSecond.", Section(0, 7, page=1), Section(7, 14, page=2))
    texts = [(passage.page, passage.text) for passage in passages]
    assert texts == [(1, "First.\n"), (2, "Second.")]


def test_passages_follow_each_other_and_are_whole_sentences() -> None:
    text = SENTENCE * 200
    passages = split(text)
    assert len(passages) > 10
    assert "".join(passage.text for passage in passages) == text.rstrip()
    assert all(passage.text.strip().endswith("river.") for passage in passages)
    assert all(len(passage.text.strip()) <= MAX_PASSAGE_CHARACTERS for passage in passages)


def test_passage_ends_with_its_paragraph_if_it_is_long_enough() -> None:
    text = (SENTENCE * 9 + "\n\n") * 20
    assert all(passage.text == SENTENCE * 9 + "\n\n" for passage in split(text)[:-1])


def test_passages_do_not_reach_into_the_next_section() -> None:
    half = SENTENCE * 30
    sections = [Section(0, len(half), 1, "A"), Section(len(half), 2 * len(half), 2, "B")]
    passages = split(half * 2, *sections)
    assert {(passage.page, passage.heading) for passage in passages} == {(1, "A"), (2, "B")}
    assert all(passage.end <= len(half) for passage in passages if passage.page == 1)


def test_pages_follow_each_other_but_headings_do_not() -> None:
    half = SENTENCE * 30 + "\n\n"
    cuts = [(0, len(half)), (len(half), 2 * len(half))]
    pages = split(half * 2, *(Section(*cut, page=n) for n, cut in enumerate(cuts, 1)))
    chapters = split(half * 2, *(Section(*cut, heading=f"{n}") for n, cut in enumerate(cuts)))
    gaps = [
        [after.start - before.end for before, after in pairwise(passages)]
        for passages in (pages, chapters)
    ]
    assert set(gaps[0]) == {0}
    assert set(gaps[1]) == {0, 3}


def test_text_longer_than_a_block_is_split_alike() -> None:
    text = SENTENCE * 5000
    assert "".join(passage.text for passage in split(text)) == text.rstrip()


def test_text_without_any_space_is_split() -> None:
    assert "".join(passage.text for passage in split("x" * 10_000)) == "x" * 10_000
    assert not split(" " * 200_000)


@given(
    st.text(alphabet=st.sampled_from("aB .!?\n\0é😀\u200d\u202e東。1"), max_size=400),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=5),
)
def test_offsets_are_those_of_the_text(text: str, times: int, spans: list[tuple[int, int]]) -> None:
    text *= times
    sections = [Section(start, end, n + 1, f"h{n}") for n, (start, end) in enumerate(spans)]
    passages = split(text, *sections)
    assert [passage.number for passage in passages] == list(range(len(passages)))
    position = 0
    for passage in passages:
        assert passage.text == text[passage.start : passage.end]
        assert not text[position : passage.start].strip()
        assert position <= passage.start < passage.end
        assert len(passage.text.strip()) <= MAX_SHORT_TEXT_CHARACTERS
        position = passage.end
    assert not text[position:].strip()
