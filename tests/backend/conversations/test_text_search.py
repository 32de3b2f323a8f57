"""Text is found as a reader compares it, in linear time, and shown as it was written."""

import time
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations.text_search import TextSearch, fold


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("İstanbul", "istanbul"),
        ("I\u0307stanbul", "istanbul"),
        ("istanbul", "İSTANBUL"),
        ("the ﬁrst oﬃce", "first office"),
        ("first", "ﬁrst"),
        ("Café", "cafe\u0301"),
        ("Cafe\u0301", "café"),
        ("Straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("\u017fpaß", "SPASS"),  # long s
        ("\uff26\uff55\uff4c\uff4c", "full"),  # full width
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("\u1fb3", "\u03b1\u03b9"),  # iota subscript
        ("ｶﾞ", "ガ"),
        ("\u1112\u1161\u11ab", "한"),
        ("100\u00a0%", "100 %"),
        ("K Å", "k å"),
        ("a.b*[c]\\", "A.B*[C]\\"),
    ],
)
def test_equal_texts_match(text: str, search: str) -> None:
    snippet = TextSearch(search).find_snippet(f"Before {text} after")
    assert snippet == " ".join(f"Before {text} after".split())


@pytest.mark.parametrize(
    ("text", "search"),
    [("Café", "cafe "), ("Cafe\u0301", "cafe"), ("axb", "a_b"), ("ab", "a%b"), ("ab", "a.b")],
)
def test_other_texts_do_not_match(text: str, search: str) -> None:
    assert TextSearch(search).find_snippet(f"{text}!") is None


ALPHABET = "aI \n.éß中か한\u0301\u0316\u0307\u3099\u1100\u1161\u11a8İﬁΐ"


@given(st.text(ALPHABET, max_size=60), st.text(ALPHABET, max_size=60))
def test_long_text_is_folded_like_a_short_one(first: str, second: str) -> None:
    text = first + "x" * 480 + second + "é" * 480 + " " + first
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    assert fold(text) == folded.replace("i\u0307", "i")


@given(st.text(ALPHABET, min_size=1, max_size=30), st.text(ALPHABET, max_size=30))
def test_text_is_found_in_itself(text: str, before: str) -> None:
    assert TextSearch(text).find_snippet(f"{before} {text}") is not None


@pytest.mark.parametrize("mark", ["", "e\u0301"])
def test_match_is_found_across_windows(mark: str) -> None:
    search = TextSearch(f"Needle{mark} in hay")
    for offset in range(-30, 30):
        position = search.window_characters + offset
        text = mark + "." * position + f"NEEDLE{mark.upper()} in hay" + "." * 20_000
        start, snippets = 0, []
        while window := search.next_window(text, start, is_complete=True):
            snippets.append(search.find_snippet(text, start, window[0]))
            start = window[1]
        found = [snippet for snippet in snippets if snippet is not None]
        assert found
        assert all(f".NEEDLE{mark.upper()} in hay." in snippet for snippet in found)


def test_snippet_is_cut_between_words_and_on_one_line() -> None:
    text = "Many words before. " * 10 + "The\nﬁrst\t line" + " and words after it." * 20
    snippet = TextSearch("FIRST LINE").find_snippet(text.replace("\t ", " "))
    assert snippet is not None
    assert "The ﬁrst line and" in snippet
    assert snippet.startswith(("…words", "…Many", "…before."))
    assert snippet.endswith("…")
    assert 100 <= len(snippet) <= 162
    assert TextSearch("many").find_snippet("How many?") == "How many?"


def test_snippet_shows_where_a_long_match_begins() -> None:
    snippet = TextSearch("a" * 199 + "b").find_snippet("x" * 100 + "a" * 500 + "b")
    assert snippet == f"…{'a' * 160}…"


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("a" * 3_000_000, "a" * 199 + "b"),
        ("a" * 3_000_000, "b" + "a" * 199),
        ("ab" * 1_500_000, "ab" * 99 + "b"),
        ("é" * 1_000_000, "é" * 199 + "b"),
        ("a" + "\u0301\u0316" * 100_000, "b"),  # normalized at once, this takes minutes
        ("\ufdfa" * 30_000, "\ufdfa" * 199 + "b"),
    ],
)
def test_hostile_text_takes_linear_time(text: str, search: str) -> None:
    started_at = time.monotonic()
    assert not TextSearch(search).has_match(text)
    assert time.monotonic() - started_at < 10
