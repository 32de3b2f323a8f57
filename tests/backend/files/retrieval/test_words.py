"""Words, stems and sentences, with their offsets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.files.retrieval.sentences import MAX_SENTENCE_CHARACTERS, split_sentences
from backend.files.retrieval.stemmer import stem
from backend.files.retrieval.words import count_words, find_words, stem_text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"),
        ("ponies", "poni"),
        ("cats", "cat"),
        ("agreed", "agre"),
        ("hopping", "hop"),
        ("filing", "file"),
        ("happy", "happi"),
        ("sky", "sky"),
        ("relational", "relat"),
        ("decisiveness", "decis"),
        ("replacement", "replac"),
        ("adoption", "adopt"),
        ("controlling", "control"),
        ("größe", "größe"),
        ("is", "is"),
    ],
)
def test_stem_is_that_of_porter(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_words_are_compared_without_case_accents_and_thousands_separators() -> None:
    forms = [word.form for word in find_words("CAFÉ, cafe\u0301: 1,500.50 Straße 東京")]
    assert forms == ["cafe", "cafe", "1500.50", "strasse", "東", "京"]


def test_words_are_counted_as_a_reader_does() -> None:
    assert count_words("A well-known  fact, isn't it?") == 5
    assert count_words("東京 is") == 3


@given(st.text())
def test_words_are_at_their_offsets(text: str) -> None:
    words = list(find_words(text))
    assert all(0 <= word.start < word.end <= len(text) and word.form for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))
    assert stem_text(text).split(" ") == [word.stem for word in words] or not words


def texts(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def test_sentences_end_at_stops_and_lines_but_not_after_abbreviations() -> None:
    text = 'Dr. Ng came at 5 p.m. today. "Why?" he said.\n\n- one\n- two\n終わり。次。'
    assert texts(text) == [
        "Dr. Ng came at 5 p.m. today.",
        '"Why?"',
        "he said.",
        "- one",
        "- two",
        "終わり。",
        "次。",
    ]


def test_wrapped_lines_are_one_sentence() -> None:
    text = "This is a sentence that was wrapped by a program\nafter some words.\nThen another one."
    assert texts(text) == [text[:66], "Then another one."]


def test_long_sentence_is_cut_between_words() -> None:
    parts = texts("word " * 500)
    assert all(len(part) <= MAX_SENTENCE_CHARACTERS and part.strip("word ") == "" for part in parts)
    assert " ".join(parts) == ("word " * 500).strip()


@given(st.text(alphabet=st.sampled_from("aB .!?\n\t,;。\0é😀\u200d\u202e1"), max_size=2000))
def test_sentences_leave_out_nothing_but_space(text: str) -> None:
    spans = split_sentences(text)
    covered = set[int]()
    for start, end in spans:
        assert start < end <= start + MAX_SENTENCE_CHARACTERS
        assert not covered & set(range(start, end))
        covered |= set(range(start, end))
    assert all(text[n].isspace() for n in set(range(len(text))) - covered)


@pytest.mark.parametrize("text", [" ", "!", ".)", "\n", "(", "a.", "。", ", "])
def test_splitting_takes_linear_time(text: str) -> None:
    assert len(split_sentences(text * 200_000)) <= 200_000
