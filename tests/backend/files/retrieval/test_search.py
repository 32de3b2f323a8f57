"""Searching passages in both databases."""

import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from backend.database.database import Database, open_database
from backend.files.reading.document import Section
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.passages import StringText
from backend.files.retrieval.quotes import pick_quotes
from backend.files.retrieval.search import PassageSearch, SearchResult
from backend.files.retrieval.support import SimilarSentences
from backend.settings import Settings
from tests.support.retrieval import TextDocument

pytestmark = pytest.mark.anyio

MUSEUM = """# Harbour museum
The harbour museum opened in 1931 in a former customs house.
It shows 240 model ships and the lamp of the old lighthouse.

# Visiting
Tickets cost nine euros for adults; children under twelve enter free.
The museum is closed on Mondays and on public holidays.
"""
GARDEN = """The botanical garden was laid out by Clara Weiss in 1888.
Its glasshouse holds four thousand species of orchids.
The garden is watered from a spring under the hill.
"""
FILLER = "Nothing of interest was noted by the clerk on day {} of the voyage across the sea. "
HOSTILE = [
    '"',
    "' OR 1=1 --",
    "a AND NOT b OR (c",
    "words:ship* NEAR(ships lamp)",
    "\\'; DROP TABLE passages; --",
    "\0\0museum\0",
    "x" * 100_000,
    "museum " * 20_000,
    "متحف المرفأ",
    "🚢🚢🚢",
    "''''' & | ! <-> :*",
    "^museum - + *",
    "",
]


async def indexed(database: Database, **texts: str) -> PassageSearch:
    index = PassageIndex(database)
    for name, text in texts.items():
        await index.add(name, TextDocument(text))
    return PassageSearch(index)


def assert_offsets_are_exact(result: SearchResult, texts: dict[str, str]) -> None:
    for hit in result.hits:
        assert hit.text == texts[hit.file][hit.start : hit.end]
        assert all(hit.start <= start < end <= hit.end for start, end in hit.sentences)
    for quote in pick_quotes(result):
        assert quote.text == texts[quote.file][quote.start : quote.end]


async def test_search_finds_the_passage_and_quotes_its_sentence(database: Database) -> None:
    texts = {"museum": MUSEUM, "garden": GARDEN}
    search = await indexed(database, **texts)
    result = await search.search("How much are tickets for adults?", ["museum", "garden"])
    assert result.hits[0].file == "museum"
    assert result.evidence.is_sufficient
    assert_offsets_are_exact(result, texts)
    assert [quote.text for quote in pick_quotes(result)] == [
        "Tickets cost nine euros for adults; children under twelve enter free."
    ]


async def test_search_is_limited_to_the_files(database: Database) -> None:
    search = await indexed(database, museum=MUSEUM, garden=GARDEN)
    result = await search.search("How much are tickets for adults?", ["garden"])
    assert not result.hits
    assert not result.evidence.is_sufficient
    assert pick_quotes(result) == []
    assert (await search.search("tickets", [])).hits == []


@pytest.mark.parametrize("files", [["a", "b"], ["a", "c"], ["c", "gone"], ["gone"], [*"abc"] * 10])
async def test_words_are_counted_and_found_in_the_files_alone(
    database: Database, files: list[str]
) -> None:
    search = await indexed(database, a="An owl.", b="An owl and an elk.", c="An elk.")
    existing = sorted({*files} & {*"abc"})
    result = await search.search("elk owl", files)
    assert sorted(hit.file for hit in result.hits) == existing
    assert result.statistics.passages == len(existing)
    counts = {"elk": len({"b", "c"} & {*files}), "owl": len({"a", "b"} & {*files})}
    assert result.statistics.counts == counts


@pytest.mark.parametrize(
    ("question", "is_answered"),
    [
        ("lighthouse lamp", True),
        ("orchids", True),
        ("submarine", False),
        ("What is the importance of submarines?", False),
        ("How many ships does the museum show?", True),
        ("Who designed the garden?", True),
        ("When did Admiral Benbow visit the museum?", False),
        ("Who wrote the constitution of the Roman republic?", False),
        ("?", False),
    ],
)
async def test_evidence_tells_whether_the_files_answer(
    database: Database, question: str, *, is_answered: bool
) -> None:
    search = await indexed(database, museum=MUSEUM, garden=GARDEN)
    result = await search.search(question, ["museum", "garden"])
    assert result.evidence.is_sufficient is is_answered


async def test_passage_with_all_words_answers_though_most_passages_have_some(
    database: Database,
) -> None:
    common = "Nobody remembers who brought salt to the glassworks of Kellunba in the year {}. "
    fact = "Nesfenras left Kellunba after a dispute about the glassworks."
    search = await indexed(database, history="\n".join([*map(common.format, range(150)), fact]))
    result = await search.search(
        "What was the dispute about the glassworks of Kellunba?", ["history"]
    )
    assert result.evidence.is_sufficient
    assert fact in [quote.text for quote in pick_quotes(result)]


@pytest.mark.parametrize(
    ("question", "is_answered"),
    [
        ("Does rust weaken copper, zinc, nickel or bronze hinges, chains, anchors?", True),
        ("Does rust weaken paper, glass, nickel or bronze vases, cups, plates?", False),
    ],
)
async def test_long_question_to_many_passages_needs_less_than_half_of_its_words(
    database: Database, question: str, *, is_answered: bool
) -> None:
    fact = "Salt water makes rust that can weaken hinges and chains. "
    search = await indexed(database, log=fact + "".join(FILLER.format(n) for n in range(9000)))
    result = await search.search(question, ["log"])
    assert result.statistics.passages > 900
    assert result.evidence.is_sufficient is is_answered


async def test_follow_up_is_about_the_subject_of_the_previous_question(database: Database) -> None:
    search = await indexed(database, museum=MUSEUM, garden=GARDEN)
    files = ["museum", "garden"]
    previous = "Who founded the botanical glasshouse?"
    result = await search.search("And the species?", files, previous_question=previous)
    assert result.hits[0].file == "garden"
    assert {word.weight for word in result.question} == {1.0, 0.5}


@pytest.mark.parametrize(
    ("follow_up", "is_answered"),
    [
        ("And when?", True),
        ("What happened then?", True),
        ("How many species does it have?", True),
        ("How many elephants does it have?", False),
        ("Does it have a submarine?", False),
    ],
)
async def test_follow_up_is_answered_by_its_own_words_if_it_has_any(
    database: Database, follow_up: str, *, is_answered: bool
) -> None:
    search = await indexed(database, museum=MUSEUM, garden=GARDEN)
    previous = "Who laid out the botanical garden?"
    result = await search.search(follow_up, ["garden"], previous_question=previous)
    assert result.evidence.is_sufficient is is_answered
    assert bool(pick_quotes(result)) is is_answered


async def test_first_passages_hold_the_budget_of_words(database: Database) -> None:
    text = "".join(FILLER.format(n) for n in range(2000))
    search = await indexed(database, log=text)
    result = await search.search("Which voyage did the clerk note?", ["log"], max_results=20)
    assert len(result.hits) == 20
    assert 500 < sum(len(hit.text.split()) for hit in result.hits[:5]) <= 600
    assert_offsets_are_exact(result, {"log": text})
    wide = await search.search("voyage clerk", ["log"], max_results=20, max_words=1500)
    assert 1300 < sum(len(hit.text.split()) for hit in wide.hits[:12]) <= 1500


async def test_small_budget_leaves_out_passages(database: Database) -> None:
    search = await indexed(database, log="".join(FILLER.format(n) for n in range(2000)))
    result = await search.search("voyage clerk", ["log"], max_results=5, max_words=250)
    assert sum(len(hit.text.split()) for hit in result.hits) <= 250


async def test_page_and_heading_are_those_of_what_matches(database: Database) -> None:
    first, second = FILLER.format(1) * 60, "The lamp burns whale oil. " + FILLER.format(2) * 60
    sections = [
        Section(0, len(first), 1, "Log"),
        Section(len(first), len(first) + len(second), 2, "Lamp"),
    ]
    index = PassageIndex(database)
    await index.add("log", TextDocument(first + second, sections))
    result = await PassageSearch(index).search("What does the lamp burn?", ["log"])
    [quote, *_] = pick_quotes(result)
    hit = result.hits[0]
    assert hit.start < len(first)
    assert (hit.page, hit.heading) == (2, "Lamp")
    assert (quote.text, quote.page, quote.heading) == ("The lamp burns whale oil.", 2, "Lamp")


async def count_indexed(database: Database) -> int:
    async with database.read_transaction() as connection:
        rows = await connection.execute(sql("SELECT count(*) FROM passage_words"))
    count: int = rows.scalar_one()
    return count


async def test_removed_file_leaves_nothing(database: Database) -> None:
    before = await count_indexed(database)
    search = await indexed(database, kept=MUSEUM, gone=FILLER * 2000)
    index = PassageIndex(database)
    await index.remove("gone")
    assert await index.count(["kept", "gone"]) == {"kept": 1}
    assert (await search.search("clerk voyage", ["kept", "gone"])).hits == []
    await index.remove("kept")
    assert await count_indexed(database) == before


async def test_file_that_is_added_again_replaces_its_passages(database: Database) -> None:
    search = await indexed(database, museum=MUSEUM)
    await PassageIndex(database).add("museum", TextDocument(GARDEN))
    assert (await search.search("tickets", ["museum"])).hits == []
    assert (await search.search("orchids", ["museum"])).hits


async def test_edges_and_places_of_a_file(database: Database) -> None:
    index = PassageIndex(database)
    text = "".join(FILLER.format(n) for n in range(100))
    count = await index.add("log", TextDocument(text))
    first = await index.read_edge("log", 2, is_end=False)
    last = await index.read_edge("log", 2, is_end=True)
    assert [passage.number for passage in first + last] == [0, 1, count - 2, count - 1]
    assert await index.locate("log", first[1].start) == first[1]
    assert await index.locate("log", len(text) + 5) is None


@pytest.mark.parametrize("question", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_question_is_only_text(database: Database, question: str) -> None:
    search = await indexed(database, museum=MUSEUM, garden=GARDEN)
    result = await search.search(question, ["museum", "' OR '1'='1"], previous_question=question)
    assert {hit.file for hit in result.hits} <= {"museum"}
    assert_offsets_are_exact(result, {"museum": MUSEUM})


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_is_stored_and_found(database: Database, text: str) -> None:
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}") + "\nThe lamp burns oil."
    search = await indexed(database, hostile=text)
    result = await search.search("What does the lamp burn?", ["hostile"])
    assert_offsets_are_exact(result, {"hostile": text})
    assert pick_quotes(result)[-1].text.endswith("The lamp burns oil.")


@given(
    text=st.text(st.sampled_from("ab cd ef.\n! é東。😀'\"\\:*&|1,"), max_size=3000),
    question=st.text(st.sampled_from("ab cd ef?'\"\\:*&|é東1,"), max_size=60),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_quote_is_at_its_offsets(
    sqlite: PassageIndex, text: str, question: str
) -> None:
    await sqlite.add("any", TextDocument(text))
    result = await PassageSearch(sqlite).search(question, ["any"])
    assert_offsets_are_exact(result, {"any": text})


@pytest.fixture
async def sqlite(settings: Settings) -> AsyncIterator[PassageIndex]:
    async with open_database(settings) as database:
        yield PassageIndex(database)


async def test_short_files_are_found_one_passage_each(database: Database) -> None:
    chooser = random.Random(1)
    subjects = ["lamp", "mast", "rudder", "anchor", "sail", "keel"]
    index = PassageIndex(database)
    for n in range(60):
        subject = subjects[n % 6]
        words = " ".join(chooser.choices(["wood", "iron", "rope", "tar", "cloth", "salt"], k=30))
        await index.add(f"f{n}", TextDocument(f"On the {subject}.\nThe {subject} needs {words}."))
    files = [f"f{n}" for n in range(60)]
    result = await PassageSearch(index).search("What does an anchor need?", files, max_results=10)
    names = [hit.file for hit in result.hits]
    assert len(set(names)) == 10
    assert all(int(name[1:]) % 6 == 3 for name in names)


async def test_sentence_is_similar_by_words_that_the_question_does_not_have(
    database: Database,
) -> None:
    search = await indexed(database, museum=MUSEUM)
    question = "When did the harbour museum open?"
    hits = (await search.search(question, ["museum"])).hits
    answer = "It opened in 1931 in a customs house. The harbour museum did open. It has a zoo."
    similar, sentences = SimilarSentences(hits).find(answer, question)
    assert sentences == 3
    assert [answer[one.answer_start : one.answer_end] for one in similar] == [
        "It opened in 1931 in a customs house."
    ]
    assert MUSEUM[similar[0].start : similar[0].end].startswith("The harbour museum opened")


def test_string_text_is_sliced_by_code_points() -> None:
    assert StringText("a😀b").slice(1, 2) == "😀"
