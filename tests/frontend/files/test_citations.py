"""Numbers and quotes in an answer: at their places, and never as Markdown of the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.chat_chunk import FileCitation
from files.citations import MAX_LINKS, CitedText
from sanitize.markdown_blocks import sanitize_markdown
from sanitize.plain_text import plain_text


def citation(index: int, quote: str = "", match: str = "quote") -> FileCitation:
    return FileCitation(
        file_id="f", filename="a.txt", index=index, start=0, end=1, quote=quote, match=match
    )


def shown(text: str, *citations: FileCitation, link_id: str | None = "m") -> str:
    cited = CitedText.of(text, citations, link_id)
    return cited.markdown(sanitize_markdown(cited.text))


def test_number_is_a_link_to_its_citation() -> None:
    text = "“Bees fly.” Yes."
    assert shown(text, citation(11, "Bees fly.")) == r"“Bees fly.” [\[1\]](#cite-m-0) Yes."
    assert shown(text, citation(11), link_id=None) == r"“Bees fly.” \[1\] Yes."


def test_numbers_follow_the_list_and_stand_in_the_order_of_the_text() -> None:
    assert shown("One. Two.", citation(9), citation(4), link_id=None) == r"One. \[2\] Two. \[1\]"


def test_only_the_first_citations_can_be_opened() -> None:
    text = shown("x", *[citation(1) for _ in range(MAX_LINKS + 1)])
    assert text.count("](#cite-m-") == MAX_LINKS
    assert text.endswith(rf" \[{MAX_LINKS + 1}\]")


HOSTILE = "![x](http://evil.test/i.png) <img src=x> [run](javascript:alert) `a` $x$ :material/home:"


@pytest.mark.parametrize("quote", [HOSTILE, "# Title", "- item", "[1](#cite-m-0)", "\u202egpj.exe"])
def test_quote_is_plain_text(quote: str) -> None:
    text = f"“{quote}”"
    visible = quote.replace("\u202e", r"\u202e")
    markdown = shown(text, citation(len(text), quote))
    assert markdown == rf"“{plain_text(visible)}” [\[1\]](#cite-m-0)"


def test_number_in_code_is_text() -> None:
    text = "```\nx = 1\n```"
    assert "x = 1 [1]\n" in shown(text, citation(9))


def test_text_that_looks_like_a_placeholder_is_not_one() -> None:
    assert "evil" not in shown("\ue0f11\ue0f2", citation(0), citation(0, "evil", "similar_passage"))


@given(
    st.text(alphabet="ab `~[]*_\n#$“”\ue0f0\ue0f1\ue0f20", max_size=40),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_any_text_keeps_no_placeholder(text: str, indexes: list[int]) -> None:
    cited = CitedText.of(text, [citation(index, "ab") for index in indexes], "m")
    for output in (cited.markdown(sanitize_markdown(cited.text)), cited.plain(cited.text)):
        assert not indexes or not {"\ue0f0", "\ue0f1", "\ue0f2"} & set(output)
