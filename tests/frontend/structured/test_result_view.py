"""What the page shows of an object that came to nothing."""

from streamlit.testing.v1 import AppTest


def broken_off() -> None:
    from api.errors import ApiError  # noqa: PLC0415  # the script is run by itself
    from structured.result_view import ResultView  # noqa: PLC0415
    from structured.stream_job import StructuredRun  # noqa: PLC0415
    from structured.target_schema import TargetSchema  # noqa: PLC0415

    error = ApiError("The answer broke off.", "Try again.", code="answer_broken_off")
    run = StructuredRun(TargetSchema({}), written='{"a": 1}', state="failed", error=error)
    ResultView(run).render_result(on_retry=lambda: None)


def test_what_was_certain_stays_when_the_answer_breaks_off() -> None:
    page = AppTest.from_function(broken_off).run()
    assert not page.exception
    assert page.code[0].value == '{"a": 1}'
    assert "The answer broke off." in page.warning[0].value
