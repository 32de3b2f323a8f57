from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from backend.structured.response_types import RESPONSE_TYPES, response_type

VALID: dict[str, dict[str, Any]] = {
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


def test_registered_types_are_complete() -> None:
    assert set(RESPONSE_TYPES) == set(VALID)


@pytest.mark.parametrize("name", VALID)
def test_type_accepts_a_valid_object_and_rejects_unknown_fields(name: str) -> None:
    model = RESPONSE_TYPES[name]
    model.model_validate(VALID[name])
    with pytest.raises(ValidationError):
        model.model_validate(VALID[name] | {"unknown": 1})


def test_registering_a_name_twice_raises() -> None:
    class Recipe(BaseModel):
        pass

    with pytest.raises(ValueError, match="recipe"):
        response_type(Recipe)
