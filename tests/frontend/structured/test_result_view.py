"""The view of an interrupted structured output."""

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
