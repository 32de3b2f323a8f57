"""The view of structured outputs: interrupted, failed, long, and with hostile details."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def interrupted_run() -> None:
    from api.errors import ApiError  # noqa: PLC0415  # AppTest runs the function as a script
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    error = ApiError("The response was interrupted.", "Try again.", code="answer_broken_off")
    run = StructuredRun(TargetSchema({}), output='{"a": 1}', state="failed", error=error)
    ResultView(run).render_result(error, on_retry=lambda: None, on_more_tokens=print)


def test_partial_output_stays_when_the_response_is_interrupted() -> None:
    page = AppTest.from_function(interrupted_run).run()
    assert not page.exception
    assert page.code[0].value == '{"a": 1}'
    assert "The response was interrupted." in page.warning[0].value


def long_run() -> None:
    from api.errors import ApiError  # noqa: PLC0415
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    output = "[" + "1," * 100_000 + "1]"
    ResultView(StructuredRun(TargetSchema({}), output=output)).render()
    error = ApiError("Invalid.", details={"text": "a" * 200_000, "attempts": []})
    run = StructuredRun(TargetSchema({}), state="failed", error=error)
    ResultView(run).render_result(None, on_retry=lambda: None, on_more_tokens=print)


def test_long_output_is_cut_without_highlighting_and_can_be_downloaded() -> None:
    page = AppTest.from_function(long_run).run()
    assert not page.exception
    assert [len(code.value) < 100_100 for code in page.code] == [True, True]
    assert [code.language for code in page.code] == ["plaintext", "plaintext"]
    assert page.code[0].value.endswith("… 100,003 more characters")
    assert [button.label for button in page.download_button] == ["Download all of it"]


def run_with_mentions(mentioned: object) -> None:
    from api.structured_response import StructuredResponse  # noqa: PLC0415
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    response = StructuredResponse.model_validate(
        {"answers": [{"parsed": 1, "text": ""}], "mentioned": mentioned}
    )
    run = StructuredRun(TargetSchema({}), state="finished", output="1", response=response)
    ResultView(run).render_result(None, on_retry=lambda: None, on_more_tokens=print)


def view_mentions(mentioned: Any) -> AppTest:
    page = AppTest.from_function(run_with_mentions, kwargs={"mentioned": mentioned}).run()
    assert not page.exception
    return page


def test_mentioned_fields_are_listed() -> None:
    page = view_mentions(["age", "email", "age"])
    assert [expander.label for expander in page.expander] == ["Mentioned in the prompt: 2"]
    assert [text.value for text in page.expander[0].text] == ["- age", "- email"]


@pytest.mark.parametrize("mentioned", [[], None, "age", 7, [1], {"age": 1}])
def test_nothing_is_shown_without_mentioned_fields(mentioned: Any) -> None:
    assert not view_mentions(mentioned).expander


def test_hostile_names_of_mentioned_fields_are_short_plain_text() -> None:
    name = "![x](http://evil.test/x.png) <b>b</b> $x$ :material/home:"
    page = view_mentions([name, "x" * 10_000, *map(str, range(1000))])
    texts = [text.value for text in page.expander[0].text]
    assert page.expander[0].label == "Mentioned in the prompt: 1,002"
    assert texts[0] == f"- {name}"
    assert len(texts[1]) < 310
    assert texts[50:] == ["and 952 more"]
    assert not [markdown for markdown in page.markdown if "evil" in markdown.value]


def run_with_short_limit(parameters: dict[str, object]) -> None:
    import streamlit as st  # noqa: PLC0415

    from api.errors import ApiError  # noqa: PLC0415
    from controls import parameter_panel  # noqa: PLC0415
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    def show(tokens: int) -> None:
        st.text(repr(tokens))

    details = {"pointer": "", "max_tokens": 1610}
    error = ApiError("Raise max_tokens.", code="schema_too_large", details=details)
    parameter_panel.set_parameters(parameters)
    run = StructuredRun(TargetSchema({}), state="failed", error=error)
    view = ResultView(run)
    view.render_result(error, on_retry=lambda: None, on_more_tokens=show)


def view_short_limit(**parameters: Any) -> AppTest:
    page = AppTest.from_function(run_with_short_limit, kwargs={"parameters": parameters}).run()
    assert not page.exception
    assert "Raise max" in page.warning[0].value
    return page


@pytest.mark.parametrize("parameters", [{}, {"max_tokens": 1609}, {"max_tokens": -1}])
def test_max_tokens_that_the_schema_needs_is_offered(parameters: dict[str, Any]) -> None:
    page = view_short_limit(**parameters)
    labels = [button.label for button in page.button]
    assert labels == ["Set Max tokens to 1,610 and retry", "Retry"]
    page.button(key="structured_more_tokens").click().run()
    assert page.text[0].value == "1610"


@pytest.mark.parametrize(
    "parameters",
    [{"max_tokens": 1610}, {"max_tokens": 5000}, {"max_completion_tokens": 64}],
)
def test_max_tokens_that_would_not_help_is_not_offered(parameters: dict[str, Any]) -> None:
    assert [button.label for button in view_short_limit(**parameters).button] == ["Retry"]
