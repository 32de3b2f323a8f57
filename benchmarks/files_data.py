"""Documents and questions to measure answers from files with, generated from a seed.

Each document is about invented people and places, with facts that a question asks for in partly
other words, among sentences that have the same words but answer nothing. Each is written as a file
of another kind.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files_kinds import KINDS
from benchmarks.json_lines import read_json_lines

_FACTS = (
    (
        "The {thing} of {place} was designed by {person} and completed in {year}.",
        "Who designed the {thing} in {place}?",
    ),
    (
        "Repairs to the {thing} at {place} cost {number} crowns, which {person} paid.",
        "How much did it cost to repair the {thing} at {place}?",
    ),
    (
        "{person} left {place} in {year} after a dispute about the {thing}.",
        "Why did {person} leave {place}?",
    ),
    (
        "At its peak, {number} people worked in {place}, most of them at the {thing}.",
        "How many workers did {place} have at its peak?",
    ),
    (
        "A fire destroyed the {thing} near {place} on the night of the {day} of May {year}.",
        "When did the {thing} near {place} burn down?",
    ),
    (
        "The council of {place} forbade {person} to sell {goods} without a licence.",
        "What was {person} not allowed to sell in {place}?",
    ),
    (
        "Before the {thing} opened, {goods} reached {place} only on mules.",
        "How were {goods} brought to {place} before the {thing} opened?",
    ),
    (
        "In her diary, {person} called the {thing} of {place} the coldest room she had slept in.",
        "What did {person} write in her diary about the {thing} of {place}?",
    ),
)
_FILLER = (
    "Visitors to {place} often ask about the {thing}, and few are told the same story.",
    "The archive has letters of {person}, but most of them are about {goods}.",
    "Nobody remembers who first brought {goods} to the {thing}.",
    "In {year} the weather was mild, and the roads around {place} stayed open.",
    "There are {number} photographs of the {thing}, of which half are damaged.",
    "{person} is mentioned in the register of {place} without any further detail.",
)
_THINGS = """
    lighthouse granary observatory tannery bridge brewery chapel foundry theatre dockyard reservoir
    glassworks
""".split()  # noqa: SIM905
_GOODS = "salt wool copper tea timber paper honey indigo barley".split()  # noqa: SIM905
_SYLLABLES = "ba cor del fen gar hol im jor kel lun mar nes or pel quin ras".split()  # noqa: SIM905
_QUESTIONS_PER_FILE = 25
_PARAGRAPHS = 100
GENERAL_QUESTIONS = (
    "What is the capital of France?",
    "How do vaccines work?",
    "Who painted the Mona Lisa?",
    "How long does it take to boil an egg?",
    "What is the speed of light in a vacuum?",
    "Who was the first person on the moon?",
    "How do I reset the password of my router?",
    "What is the currency of Japan?",
    "When did the Berlin Wall fall?",
    "What are the symptoms of iron deficiency?",
    "How many strings does a violin have?",
    "Which mountain is the highest in Africa?",
    "How do I remove wine stains from a carpet?",
    "What is photosynthesis?",
    "Who composed the Four Seasons?",
)


@dataclass(frozen=True)
class Question:
    text: str
    file: str
    excerpts: list[str]


@dataclass(frozen=True)
class Data:
    files: dict[str, str]
    questions: list[Question]


def load(folder: Path) -> Data:
    """Read files and `questions.jsonl`: `q`, `file`, and `refs` with start, end and text."""
    rows = read_json_lines(folder / "questions.jsonl")
    questions = [Question(row["q"], row["file"], [ref[2] for ref in row["refs"]]) for row in rows]
    names = sorted({question.file for question in questions})
    return Data({name: (folder / name).read_text() for name in names}, questions)


def generate(files: int = 8, seed: int = 1) -> Data:
    chooser = random.Random(seed)  # noqa: S311  # not a secret
    texts, questions = {}, []
    for number in range(files):
        name = f"history-{number + 1}{KINDS[number % len(KINDS)]}"
        people, places = ([_name(chooser) for _ in range(10)] for _ in range(2))
        facts: dict[str, str] = {}
        while len(facts) < _QUESTIONS_PER_FILE:
            sentence, question = chooser.choice(_FACTS)
            values = _values(chooser, people, places)
            facts[question.format_map(values)] = sentence.format_map(values)
        texts[name] = _text(chooser, list(facts.values()), people, places)
        questions += [Question(text, name, [sentence]) for text, sentence in facts.items()]
    return Data(texts, questions)


def _text(chooser: random.Random, facts: list[str], people: list[str], places: list[str]) -> str:
    paragraphs = [
        [
            chooser.choice(_FILLER).format_map(_values(chooser, people, places))
            for _ in range(chooser.randint(3, 7))
        ]
        for _ in range(_PARAGRAPHS)
    ]
    for fact in facts:
        paragraph = chooser.choice(paragraphs)
        paragraph.insert(chooser.randrange(len(paragraph) + 1), fact)
    return "\n\n".join(" ".join(paragraph) for paragraph in paragraphs)


def _values(chooser: random.Random, people: list[str], places: list[str]) -> dict[str, object]:
    return {
        "person": chooser.choice(people),
        "place": chooser.choice(places),
        "thing": chooser.choice(_THINGS),
        "goods": chooser.choice(_GOODS),
        "year": chooser.randint(1700, 1950),
        "number": chooser.randint(100, 9000),
        "day": f"{chooser.randint(4, 20)}th",
    }


def _name(chooser: random.Random) -> str:
    return "".join(chooser.choices(_SYLLABLES, k=3)).capitalize()
