"""Finding all mentions of a phrase."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend.files.retrieval.mentions import find_mentions
from backend.files.retrieval.passages import StringText
from backend.files.retrieval.words import find_words


def mentions(text: str, phrase: str) -> list[str]:
    return [text[found.start : found.end] for found in find_mentions(StringText(text), phrase)]


def test_mentions_are_whole_words_in_any_case_and_with_any_space() -> None:
    text = "New York, new\n york and NEW  YORK; New Yorker; new, york"
    assert mentions(text, "new york") == ["New York", "new\n york", "NEW  YORK"]


def test_marks_between_words_matter() -> None:
    assert mentions("well-being, well being", "well-being") == ["well-being"]


def test_accents_and_separators_do_not_matter() -> None:
    assert mentions("Zoë paid 1,500 or 1500", "zoe") == ["Zoë"]
    assert len(mentions("Zoë paid 1,500 or 1500", "1500")) == 2


def test_phrase_without_words_is_not_mentioned() -> None:
    assert mentions("a ?! b", "?!") == []
    assert mentions("", "a") == []


@given(st.integers(65_000, 66_000), st.sampled_from(["needle", "two words", "e\u0301te\u0301"]))
def test_mention_at_the_end_of_a_block_is_found_once(position: int, phrase: str) -> None:
    text = "x" + " " * position + phrase + " y"
    assert mentions(text, phrase) == [phrase]


@given(st.text(), st.text(max_size=5))
def test_mentions_do_not_overlap(text: str, phrase: str) -> None:
    found = list(find_mentions(StringText(text), phrase))
    assert all(one.end <= other.start for one, other in pairwise(found))


LETTERS = "aAéß1,. -\n\u0301\u0130½\u0915\u093f東ﬁ\u03c2\u03c3"


@given(
    st.text(LETTERS, max_size=60), st.text(LETTERS, min_size=1, max_size=5), st.integers(0, 2100)
)
def test_every_word_that_is_equal_is_a_mention(text: str, phrase: str, position: int) -> None:
    text = "b " * position + text  # over the ends of the parts that are compared
    wanted = [word.form for word in find_words(phrase)]
    words = list(find_words(text)) if len(wanted) == 1 else []
    equal = [(word.start, word.end) for word in words if word.form == wanted[0]]
    found = [(one.start, one.end) for one in find_mentions(StringText(text), phrase)]
    assert len(wanted) != 1 or found == equal
