"""The view of interrupted, failed and long structured outputs."""

from streamlit.testing.v1 import AppTest


def interrupted_run() -> None:
    from api.errors import ApiError  # noqa: PLC0415  # AppTest runs the function as a script
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    error = ApiError("The response was interrupted.", "Try again.", code="answer_broken_off")
    run = StructuredRun(TargetSchema({}), output='{"a": 1}', state="failed", error=error)
    ResultView(run).render_result(error, on_retry=lambda: None)


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
    ResultView(run).render_result(None, on_retry=lambda: None)


def test_long_output_is_cut_without_highlighting_and_can_be_downloaded() -> None:
    page = AppTest.from_function(long_run).run()
    assert not page.exception
    assert [len(code.value) < 100_100 for code in page.code] == [True, True]
    assert [code.language for code in page.code] == ["plaintext", "plaintext"]
    assert page.code[0].value.endswith("… 100,003 more characters")
    assert [button.label for button in page.download_button] == ["Download all of it"]
