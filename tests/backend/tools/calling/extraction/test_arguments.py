"""What questions state about the parameters of everyday functions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tools.calling.extraction.arguments import extract_arguments
from backend.tools.calling.words import stems

Schemas = dict[str, Any]


def text(description: str = "", **keywords: Any) -> Schemas:
    return {"type": "string", "description": description, **keywords}


def integer(description: str = "") -> Schemas:
    return {"type": "integer", "description": description}


def number(description: str = "") -> Schemas:
    return {"type": "number", "description": description}


def array(items: Schemas, description: str = "") -> Schemas:
    return {"type": "array", "items": items, "description": description}


# The name and description of a function, its parameters, and the names of those it requires.
FUNCTIONS: dict[str, tuple[str, Schemas, list[str]]] = {
    "weather": (
        "get_weather Get the weather forecast for a city.",
        {
            "city": text("The city."),
            "days": integer("Number of days."),
            "unit": text("Unit of the temperature.", enum=["celsius", "fahrenheit"]),
        },
        ["city"],
    ),
    "message": (
        "send_message Send a text message to a contact.",
        {"recipient": text("Name of the contact."), "message": text("The text to send.")},
        ["recipient", "message"],
    ),
    "timer": (
        "start_timer Start a timer.",
        {"minutes": integer("Duration in minutes."), "label": text("A name for the timer.")},
        ["minutes"],
    ),
    "bmi": (
        "bmi Compute the body mass index.",
        {"weight_kg": number("Weight in kilograms."), "height_cm": number("In centimeters.")},
        ["weight_kg", "height_cm"],
    ),
    "currency": (
        "convert_currency Convert an amount of money.",
        {"amount": number(), "from_currency": text(), "to_currency": text()},
        ["amount", "from_currency", "to_currency"],
    ),
    "calculator": (
        "calculator Calculate the value of an expression.",
        {"expression": text("Such as (12.5 + 3) * 2.")},
        ["expression"],
    ),
    "flights": (
        "search_flights Search for flights.",
        {
            "origin": text("City of departure."),
            "destination": text("City of arrival."),
            "date": text("Date of departure, YYYY-MM-DD."),
            "passengers": integer("Number of passengers."),
        },
        ["origin", "destination", "date"],
    ),
    "average": (
        "average Return the average of numbers.",
        {"numbers": array(number(), "The numbers.")},
        ["numbers"],
    ),
    "shopping": (
        "add_to_list Add items to the shopping list.",
        {"items": array(text(), "The items to add.")},
        ["items"],
    ),
    "event": (
        "create_event Create an event in the calendar.",
        {
            "title": text("Title of the event."),
            "date": text("Date (YYYY-MM-DD)."),
            "attendees": array(text(), "Names of the attendees."),
        },
        ["title", "date"],
    ),
    "loan": (
        "monthly_payment Compute the monthly payment of a loan.",
        {
            "principal": number("Amount of the loan."),
            "annual_rate": number("Yearly interest rate in percent."),
            "years": integer("Term in years."),
        },
        ["principal", "annual_rate", "years"],
    ),
    "growth": (
        "future_value Compute the future value of savings.",
        {"savings": number(), "interest_rate": number("The yearly rate.")},
        ["savings", "interest_rate"],
    ),
    "distance": (
        "distance Return the distance between two cities.",
        {"city_a": text("First city."), "city_b": text("Second city.")},
        ["city_a", "city_b"],
    ),
    "recipes": (
        "find_recipes Find recipes.",
        {
            "cuisine": text("Type of cuisine, such as Italian or Thai."),
            "max_minutes": integer("Maximum preparation time in minutes."),
            "vegetarian": {"type": "boolean"},
        },
        ["cuisine"],
    ),
    "password": (
        "generate_password Generate a password.",
        {"length": integer("Number of characters."), "symbols": {"type": "boolean"}},
        ["length"],
    ),
    "homes": (
        "find_homes Find homes.",
        {
            "city": text("The city."),
            "price": {
                "type": "object",
                "properties": {"min": integer(), "max": integer()},
                "required": ["min", "max"],
            },
        },
        ["city", "price"],
    ),
}


def find(name: str, question: str) -> list[dict[str, Any]]:
    """Return the values that a question states for each call of a function."""
    texts, properties, required = FUNCTIONS[name]
    found = extract_arguments(question, properties, required, frozenset(stems(texts)))
    return [extracted.values for extracted in found]


@pytest.mark.parametrize(
    ("name", "question", "values"),
    [
        (
            "weather",
            "What will the weather be like in New Orleans for the next 3 days, in celsius?",
            {"city": "New Orleans", "days": 3, "unit": "celsius"},
        ),
        (
            "message",
            "Send a message to Tom saying 'see you at 8'",
            {"recipient": "Tom", "message": "see you at 8"},
        ),
        ("timer", "Set a 10 minute timer called 'pasta'", {"minutes": 10, "label": "pasta"}),
        ("bmi", "I am 178 cm tall and weigh 82 kg", {"weight_kg": 82, "height_cm": 178}),
        (
            "currency",
            "convert 99.5 GBP to JPY",
            {"amount": 99.5, "from_currency": "GBP", "to_currency": "JPY"},
        ),
        ("calculator", "what is 12*(7+5)?", {"expression": "12*(7+5)"}),
        (
            "flights",
            "I need to fly to Lisbon from Hamburg on January 15th, 2026",
            {"origin": "Hamburg", "destination": "Lisbon", "date": "2026-01-15"},
        ),
        ("average", "average of [1.5, 2.5]", {"numbers": [1.5, 2.5]}),
        ("average", "What is the average of 4, 8 and 15?", {"numbers": [4, 8, 15]}),
        (
            "shopping",
            "Add milk, eggs and olive oil to my shopping list",
            {"items": ["milk", "eggs", "olive oil"]},
        ),
        (
            "event",
            "Create an event 'Team lunch' on March 4th 2026 with Anna and Ben",
            {"title": "Team lunch", "date": "2026-03-04", "attendees": ["Anna", "Ben"]},
        ),
        (
            "loan",
            "What is the monthly payment for a loan of $200,000 at 4.5% for 30 years?",
            {"principal": 200_000, "annual_rate": 4.5, "years": 30},
        ),
        (
            "growth",
            "Savings of $1.5 million grow at an interest rate of 3%",
            {"savings": 1_500_000, "interest_rate": 0.03},
        ),
        ("distance", "distance between Tokyo and Osaka", {"city_a": "Tokyo", "city_b": "Osaka"}),
        (
            "recipes",
            "Show me vegetarian Thai recipes that take at most 30 minutes",
            {"cuisine": "Thai", "max_minutes": 30, "vegetarian": True},
        ),
        (
            "password",
            "Generate a password of 16 characters without symbols",
            {"length": 16, "symbols": False},
        ),
        (
            "homes",
            "homes in Lyon from $300,000 to $400,000",
            {"city": "Lyon", "price": {"min": 300_000, "max": 400_000}},
        ),
    ],
)
def test_values_of_one_call_are_found(name: str, question: str, values: dict[str, Any]) -> None:
    assert find(name, question) == [values]


@pytest.mark.parametrize(
    ("name", "question", "calls"),
    [
        ("weather", "weather in Paris and in Rome", [{"city": "Paris"}, {"city": "Rome"}]),
        (
            "weather",
            "Compare the weather in Berlin, Vienna and Zurich",
            [{"city": "Berlin"}, {"city": "Vienna"}, {"city": "Zurich"}],
        ),
        (
            "bmi",
            "Ann weighs 60 kg and is 165 cm tall, and Bob weighs 80 kg and is 180 cm tall.",
            [{"weight_kg": 60, "height_cm": 165}, {"weight_kg": 80, "height_cm": 180}],
        ),
        (
            "average",
            "average of [1, 2] and of [3, 4]",
            [{"numbers": [1, 2]}, {"numbers": [3, 4]}],
        ),
    ],
)
def test_values_of_several_calls_are_found(
    name: str, question: str, calls: list[dict[str, Any]]
) -> None:
    assert find(name, question) == calls


def test_unsure_text_is_left_to_the_model_with_the_phrases_to_choose_from() -> None:
    texts, properties, required = FUNCTIONS["message"]
    (extracted,) = extract_arguments("tell mom", properties, required, frozenset(stems(texts)))
    assert extracted.values == {}
    assert extracted.candidates["recipient"] == ["mom"]


@given(st.sampled_from(sorted(FUNCTIONS)), st.text(alphabet="ab1,.-%$:'\"[]()+ AB\n", max_size=200))
def test_any_text_is_searched_without_an_error(name: str, question: str) -> None:
    find(name, question)


@pytest.mark.parametrize(
    "question",
    ["(" * 4_000, "1+1" * 1_400, "A and B " * 600, "'" * 4_000, "1, " * 1_400, "中" * 4_000],
)
def test_hostile_text_is_searched_quickly(question: str) -> None:
    properties = {f"name_{number}": text("Name.") for number in range(200)}
    properties |= {f"number_{number}": integer("Number.") for number in range(200)}
    extract_arguments(question, properties, list(properties), frozenset())
