"""Calls for models whose template knows no tools, without a model."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.json_schema.errors import SchemaTimeoutError
from backend.json_schema.validator import SchemaValidator
from backend.tools.calling.constrained import CallResult, RunInWorker, call_functions
from backend.tools.calling.function import FunctionSpec

WEATHER = FunctionSpec(
    "get_weather",
    "Return the weather forecast of a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The name of the city."},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "unit": {"enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
)
TIMER = FunctionSpec("stop_timer", "Stop the kitchen timer.")
WEATHER_QUESTION = "What is the weather forecast of the city?"


async def run_here(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


async def call(
    question: str | list[dict[str, Any]],
    functions: list[FunctionSpec],
    *texts: str,
    choice: str = "auto",
    is_parallel: bool = True,
    run: RunInWorker = run_here,
) -> CallResult:
    """Call functions with a model that writes these texts, and the last one again and again."""
    queue = list(texts)

    async def generate(_messages: list[dict[str, Any]], _schema: Any) -> str:
        return queue.pop(0) if len(queue) > 1 else queue[0]

    messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
    return await call_functions(
        messages,
        functions,
        choice=choice,
        is_parallel=is_parallel,
        generate=generate,
        run_in_worker=run,
    )


@pytest.mark.anyio
async def test_question_that_needs_a_function_gets_a_call() -> None:
    result = await call(WEATHER_QUESTION, [WEATHER, TIMER], '{"city": "Oslo"}')
    assert [(each.name, each.arguments) for each in result.calls] == [
        ("get_weather", {"city": "Oslo"})
    ]
    assert (result.attempts, result.problems) == (1, [])


@pytest.mark.anyio
async def test_small_talk_gets_no_call_and_asks_no_model() -> None:
    result = await call("hi, tell me a joke", [WEATHER, TIMER], "unused")
    assert (result.calls, result.attempts) == ([], 0)
    assert result.score is not None
    assert result.score < 0.5


@pytest.mark.anyio
@pytest.mark.parametrize("choice", ["required", "get_weather"])
async def test_required_function_is_called_without_the_gate(choice: str) -> None:
    result = await call("hi", [WEATHER], '{"city": "Oslo"}', choice=choice)
    assert (result.score, len(result.calls)) == (None, 1)


@pytest.mark.anyio
async def test_function_without_parameters_needs_no_model() -> None:
    result = await call("Stop the kitchen timer, please", [WEATHER, TIMER], "unused")
    assert [each.name for each in result.calls] == ["stop_timer"]
    assert (result.calls[0].arguments, result.attempts) == ({}, 0)


@pytest.mark.anyio
async def test_arguments_that_do_not_fit_are_drawn_again() -> None:
    texts = ("no JSON", '{"city": 7}', '{"city": "Oslo"}')
    result = await call(WEATHER_QUESTION, [WEATHER], *texts)
    assert (result.attempts, len(result.calls)) == (3, 1)


@pytest.mark.anyio
async def test_arguments_that_never_fit_are_a_problem_and_no_call() -> None:
    result = await call(WEATHER_QUESTION, [WEATHER], '{"city": 7}')
    assert result.calls == []
    assert result.problems[0].startswith("No call of get_weather: ")


@pytest.mark.anyio
async def test_schema_that_cannot_be_prepared_is_a_problem() -> None:
    broken = FunctionSpec("get_weather", WEATHER.description, {"type": "nonsense"})
    result = await call(WEATHER_QUESTION, [broken], "{}")
    assert (result.calls, result.attempts, len(result.problems)) == ([], 0, 1)


@pytest.mark.anyio
async def test_nothing_is_called_again_after_results() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": WEATHER_QUESTION},
        {"role": "assistant", "content": "", "tool_calls": []},
        {"role": "tool", "content": "Rain"},
    ]
    result = await call(messages, [WEATHER], '{"city": "Oslo"}')
    assert result.calls == []


@pytest.mark.anyio
@given(
    text=st.text()
    | st.recursive(
        st.none() | st.integers() | st.sampled_from(["Oslo", "celsius"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["city", "days"]), inner),
    ).map(json.dumps),
)
async def test_every_returned_call_is_valid_whatever_the_model_writes(text: str) -> None:
    result = await call(WEATHER_QUESTION, [WEATHER], text)
    for each in result.calls:
        arguments = json.dumps(each.arguments)
        assert not SchemaValidator(WEATHER.parameters).validate(arguments).errors
    assert result.calls or result.problems


@pytest.mark.anyio
async def test_each_city_gets_a_call_and_only_one_does_without_parallel_calls() -> None:
    question = "weather forecast of the cities Paris and Rome"
    result = await call(question, [WEATHER], '{"city": "Paris"}')
    assert [each.arguments for each in result.calls] == [{"city": "Paris"}, {"city": "Rome"}]
    result = await call(question, [WEATHER], '{"city": "Paris"}', is_parallel=False)
    assert len(result.calls) == 1


@pytest.mark.anyio
async def test_clauses_for_different_functions_get_a_call_each() -> None:
    question = "What is the weather forecast of the city Oslo? And stop the kitchen timer."
    result = await call(question, [WEATHER, TIMER], "{}")
    assert [each.name for each in result.calls] == ["get_weather", "stop_timer"]


@pytest.mark.anyio
async def test_stated_arguments_need_no_model() -> None:
    result = await call("weather forecast of the city of Oslo for 3 days", [WEATHER], "unused")
    assert [each.arguments for each in result.calls] == [{"city": "Oslo", "days": 3}]
    assert result.attempts == 0


@pytest.mark.anyio
async def test_unknown_function_is_not_called() -> None:
    result = await call(WEATHER_QUESTION, [WEATHER], "{}", choice="missing")
    assert result == CallResult()


@pytest.mark.anyio
async def test_text_around_the_arguments_is_left_out() -> None:
    text = 'Sure!\n```json\n{"city": "Oslo"}\n```'
    result = await call(WEATHER_QUESTION, [WEATHER], text)
    assert [each.arguments for each in result.calls] == [{"city": "Oslo"}]


@pytest.mark.anyio
async def test_preparation_that_takes_too_long_is_tried_once_more_without_the_search() -> None:
    attempts: list[int] = []

    async def run_slowly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        attempts.append(args[2])
        if args[2] == 0:
            raise SchemaTimeoutError("too slow")
        return function(*args, **kwargs)

    result = await call(WEATHER_QUESTION, [WEATHER], '{"city": "Oslo"}', run=run_slowly)
    assert (attempts, len(result.calls), result.attempts) == ([0, 1], 1, 1)
