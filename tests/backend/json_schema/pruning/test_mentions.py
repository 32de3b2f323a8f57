"""Which properties a prompt mentions."""

from typing import Any

import pytest

from backend.json_schema.pruning.mentions import NONE, STRONG, WEAK, Mentions

MENTIONED: list[tuple[str, str, dict[str, Any]]] = [
    ("email", "Write to ann@example.org.", {}),
    ("contact", "Write to ann@example.org.", {"format": "email"}),
    ("dueDate", "The due date is Friday.", {}),
    ("due_date", "the DUE-DATE is friday", {}),
    ("postalCode", "postal codes: 10115", {}),
    ("categories", "Its category is toys.", {}),
    ("firstname", "My first name is Ann.", {}),
    ("Größe", "Die Größe ist 42.", {}),
    ("größe", "DIE GRÖSSE IST 42.", {}),
    ("naïveté", "Some naivete.", {}),
    ("имя", "Её имя Анна.", {}),
    ("名前", "名前 はアンナです。", {}),
    ("age", "Ann is 30 years old.", {}),
    ("birthDate", "She was born on 3 May.", {}),
    ("price", "It costs 12 euros.", {}),
    ("state", "It is in transit.", {"enum": ["lost", "in transit"]}),
    ("mode", "A fully-automatic one.", {"const": "fully automatic"}),
    ("q", "There are 3 doors.", {"description": "Number of doors"}),
    ("host", "It answers at 10.0.0.1.", {"format": "ipv4"}),
]
NOT_MENTIONED: list[tuple[str, str, dict[str, Any]]] = [
    ("email", "Write to Ann.", {}),
    ("schema", "Make an example for this schema.", {}),
    ("type", "What type of car is it?", {}),
    ("id", "I did it.", {}),
    ("age", "The average village.", {}),
    ("state", "It is at home.", {"enum": ["lost", "in transit"]}),
    ("x", "", {}),
    ("", "Anything.", {}),
]


@pytest.mark.parametrize(("name", "prompt", "schema"), MENTIONED)
def test_property_is_mentioned(name: str, prompt: str, schema: dict[str, Any]) -> None:
    assert Mentions(prompt).strength(name, [schema]) == STRONG


@pytest.mark.parametrize(("name", "prompt", "schema"), NOT_MENTIONED)
def test_property_is_not_mentioned(name: str, prompt: str, schema: dict[str, Any]) -> None:
    assert Mentions(prompt).strength(name, [schema]) < STRONG


def test_some_words_of_a_description_are_a_weak_match() -> None:
    schema = {"description": "How many passengers the vehicle can carry on long journeys"}
    assert Mentions("It can carry goods.").strength("n", [schema]) == WEAK
    assert Mentions("It is red.").strength("n", [schema]) == NONE


def test_values_in_the_prompt_are_kept_of_a_long_enum() -> None:
    values = [f"v{number}" for number in range(5000)]
    assert Mentions("Take v4711, please.").first(values, 3) == ["v0", "v1", "v4711"]


def test_hostile_names_and_prompts_match_nothing_and_do_not_fail() -> None:
    for text in ("(" * 50_000, "\ud800", "a" * 100_000, "\x00", "_" * 1000):
        Mentions(text).strength(text, [{"description": text, "enum": [text, None, {}]}, True, 5])
