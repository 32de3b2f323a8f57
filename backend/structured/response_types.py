"""The response types that a request can name, one small class each.

To add one, write a Pydantic model under `@response_type`. Its docstring and the descriptions of its
fields are for people; the model gets only the schema.
"""

from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

RESPONSE_TYPES: dict[str, type[BaseModel]] = {}

ModelType = TypeVar("ModelType", bound=type[BaseModel])

ShortText = Annotated[str, Field(min_length=1, max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[float, Field(ge=0, le=1_000_000)]


def response_type(model: ModelType) -> ModelType:
    """Register a response type under the class's name in lower case.

    Raises:
        ValueError: The name is taken.
    """
    name = model.__name__.lower()
    if name in RESPONSE_TYPES:
        raise ValueError(f"the response type {name} is registered already")
    RESPONSE_TYPES[name] = model
    return model


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


@response_type
class Recipe(_StrictModel):
    """A recipe with ingredients and steps."""

    title: ShortText
    servings: Annotated[int, Field(ge=1, le=20)]
    minutes: Annotated[int, Field(ge=1, le=600, description="Preparation and cooking time.")]
    ingredients: Annotated[list[ShortText], Field(min_length=1, max_length=12)]
    steps: Annotated[list[Text], Field(min_length=1, max_length=8)]


@response_type
class Event(_StrictModel):
    """An event with its date and the people who attend."""

    name: ShortText
    date: date
    people: Annotated[list[ShortText], Field(max_length=10)]


@response_type
class Contact(_StrictModel):
    """Contact details of a person."""

    name: ShortText
    email: Annotated[str | None, Field(pattern=r"^[^@\s]+@[^@\s]+\.[a-z]+$", max_length=80)] = None
    phone: Annotated[str | None, Field(pattern=r"^\+?[0-9 -]+$", max_length=20)] = None
    company: ShortText | None = None


class LineItem(_StrictModel):
    description: ShortText
    quantity: Annotated[int, Field(ge=1, le=10_000)]
    unit_price: Money


@response_type
class Invoice(_StrictModel):
    """An invoice with line items."""

    number: Annotated[str, Field(min_length=1, max_length=20)]
    date: date
    customer: ShortText
    items: Annotated[list[LineItem], Field(min_length=1, max_length=8)]
    total: Money


@response_type
class Sentiment(_StrictModel):
    """The sentiment of a text, with a reason."""

    label: Literal["positive", "neutral", "negative"]
    score: Annotated[float, Field(ge=0, le=1, description="How strongly, from 0 to 1.")]
    reason: Text
