"""The forms that can be asked for by name."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from backend.structured.response_types import RESPONSE_TYPES, response_type

GOOD: dict[str, dict[str, Any]] = {
    "recipe": {
        "title": "Toast",
        "servings": 1,
        "minutes": 5,
        "ingredients": ["bread"],
        "steps": ["Toast the bread."],
    },
    "event": {"name": "Tea", "date": "2026-11-26", "people": ["Ann", "Ben"]},
    "contact": {"name": "Ann", "email": "ann@example.org", "phone": "+44 20 7946 0000"},
    "invoice": {
        "number": "A-1",
        "date": "2026-11-26",
        "customer": "Ben",
        "items": [{"description": "Tea", "quantity": 2, "unit_price": 1.5}],
        "total": 3.0,
    },
    "sentiment": {"label": "positive", "score": 0.9, "reason": "It is praise."},
}


def test_these_are_there() -> None:
    assert set(RESPONSE_TYPES) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_one_fits_and_more_than_asked_for_does_not(name: str) -> None:
    model = RESPONSE_TYPES[name]
    model.model_validate(GOOD[name])
    with pytest.raises(ValidationError):
        model.model_validate(GOOD[name] | {"more": 1})


def test_a_name_is_taken_once() -> None:
    class Recipe(BaseModel):
        pass

    with pytest.raises(ValueError, match="recipe"):
        response_type(Recipe)
