"""The Structured page in AppTest, against the real API with a scripted model server."""

import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from backend.settings import Settings
from benchmarks.processes import free_port
from structured.schema_picker import CUSTOM, EXAMPLES
from tests.support.api_server import running_api
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.streamlit_app import open_page
from tests.support.structured_responses import (
    EVENT,
    FILM,
    grammar_probe_reply,
    json_reply,
    text_reply,
    truncated_reply,
)

LIGHT = {"title": "Light", "year": 1999}
OPTIONAL_YEAR = FILM | {"required": ["title"]}
LONG_TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1500}},
    "required": ["text"],
}


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return open_page(api_url, monkeypatch, "structured")


def select_schema(page: AppTest, name: str) -> AppTest:
    return page.button_group(key="structured_type").set_value(name).run()


def type_schema(page: AppTest, schema: Any) -> AppTest:
    select_schema(page, CUSTOM)
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return page.text_area(key="structured_schema").set_value(text).run()


def sent_schema(model_server: FakeModelServer) -> Any:
    return model_server.chat_requests[-1].body["response_format"]["json_schema"]["schema"]


def start(page: AppTest) -> AppTest:
    return page.button(key="structured_start").click().run()


def run_benchmark(page: AppTest, *, repetitions: int, methods: list[str]) -> AppTest:
    page.button_group(key="structured_mode").set_value("Benchmark").run()
    page.number_input(key="structured_repetitions").set_value(repetitions)
    page.button_group(key="structured_methods").set_value(methods)
    return start(page)


def page_text(page: AppTest) -> str:
    """Return all text, code and warnings on the page."""
    parts = [*page.text, *page.code, *page.warning, *page.markdown]
    return "\n".join(str(part.value) for part in parts)


def prompt(page: AppTest) -> str:
    return str(page.text_area(key="structured_prompt").value)


def test_page_offers_the_registered_types_and_an_example(page: AppTest) -> None:
    assert page.title[0].value == "Structured output"
    schemas = page.button_group(key="structured_type")
    assert schemas.options == [
        "Recipe", "Event", "Contact", "Invoice", "Sentiment", CUSTOM,
    ]  # fmt: skip
    assert prompt(page) == EXAMPLES["recipe"]
    assert not page.exception
    assert not page.warning


def test_valid_output_is_shown_with_summary_and_details(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply(), json_reply(EVENT)]
    start(select_schema(page, "event"))
    assert json.loads(page.code[1].value) == EVENT
    assert ":green-badge[:material/check_circle: Valid (format only)]" in page_text(page)
    assert "The values may still be wrong." in [part.value for part in page.caption]
    assert "event · 1 attempt · " in page_text(page)
    assert [e.label for e in page.main.expander][1:] == [
        "Attempts: 1", "Raw text", "Sent to the model",
    ]  # fmt: skip
    assert '"name"' in page.main.expander[-1].code[0].value
    assert not page.exception


def test_example_prompt_follows_the_schema_until_it_is_edited(page: AppTest) -> None:
    assert prompt(select_schema(page, "sentiment")) == EXAMPLES["sentiment"]
    page.text_area(key="structured_prompt").set_value("My own words.").run()
    assert prompt(select_schema(page, "event")) == "My own words."


def test_custom_schema_is_validated_and_used(page: AppTest, model_server: FakeModelServer) -> None:
    type_schema(page, FILM)
    assert "Valid schema: 2 fields, all required" in page_text(page)
    model_server.replies += [grammar_probe_reply(), json_reply(LIGHT)]
    start(page)
    assert "custom schema · 1 attempt" in page_text(page)
    assert json.loads(page.code[0].value) == LIGHT


def test_invalid_schema_shows_the_location_and_sends_no_request(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, '{\n  "type": "object",\n}')
    assert "At line 3, column 1" in page.warning[0].value
    assert page.code[0].value.endswith("^")
    start(page)
    assert "Fix the schema first" in page_text(page)
    assert not model_server.chat_requests
    type_schema(page, FILM)
    model_server.replies += [grammar_probe_reply(), json_reply(LIGHT)]
    start(page)
    assert not page.warning


def test_registered_schema_can_be_copied_to_the_editor(page: AppTest) -> None:
    page.button(key="structured_copy").click().run()
    assert '"ingredients"' in str(page.text_area(key="structured_schema").value)
    assert "5 fields, all required" in page_text(page)


def test_empty_prompt_sends_no_request(page: AppTest, model_server: FakeModelServer) -> None:
    page.text_area(key="structured_prompt").set_value(" ")
    start(page)
    assert "Enter a prompt first" in page_text(page)
    assert not model_server.chat_requests


def test_parameters_are_sent_and_kept_between_pages(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.text_input(key="parameter_seed").set_value("7").run()
    page.switch_page("app_pages/chat.py").run()
    assert page.text_input(key="parameter_seed").value == "7"
    page.chat_input[0].set_value("Hello").run()
    assert model_server.chat_requests[0].body["seed"] == 7
    page.switch_page("app_pages/structured.py").run()
    assert page.text_input(key="parameter_seed").value == "7"
    model_server.replies += [grammar_probe_reply(), json_reply(EVENT)]
    start(select_schema(page, "event"))
    assert model_server.chat_requests[-1].body["seed"] == 7


def test_fields_that_the_prompt_mentions_are_required_and_listed(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, OPTIONAL_YEAR)
    page.text_area(key="structured_prompt").set_value("A film with a title and a year.")
    model_server.replies += [grammar_probe_reply(), json_reply(LIGHT)]
    start(page)
    assert sent_schema(model_server)["required"] == ["title", "year"]
    assert "Mentioned in the prompt: 1" in [expander.label for expander in page.main.expander]
    assert "- year" in page_text(page)


def test_mentioned_fields_stay_optional_if_switched_off(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, OPTIONAL_YEAR)
    page.text_area(key="structured_prompt").set_value("A film with a title and a year.")
    page.toggle(key="structured_mentioned").set_value(False).run()
    page.switch_page("app_pages/chat.py").run()
    page.switch_page("app_pages/structured.py").run()
    assert not page.toggle(key="structured_mentioned").value
    model_server.replies += [grammar_probe_reply(), json_reply(LIGHT)]
    start(page)
    assert sent_schema(model_server)["required"] == ["title"]
    assert not [e.label for e in page.main.expander if "Mentioned" in e.label]


def test_max_tokens_that_the_schema_needs_is_set_and_the_rest_kept(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, LONG_TEXT)
    page.text_area(key="structured_prompt").set_value("My own words.")
    page.text_input(key="parameter_seed").set_value("7")
    page.number_input(key="parameter_max_tokens").set_value(64)
    start(page)
    assert "Location in the schema" not in page_text(page)
    offer = page.button(key="structured_more_tokens")
    model_server.replies += [grammar_probe_reply(), json_reply({"text": "x" * 1500})]
    offer.click().run()
    body = model_server.chat_requests[-1].body
    assert offer.label == f"Set Max tokens to {body['max_tokens']:,} and retry"
    assert page.number_input(key="parameter_max_tokens").value == body["max_tokens"] > 64
    assert (body["seed"], prompt(page)) == (7, "My own words.")
    assert json.loads(str(page.text_area(key="structured_schema").value)) == LONG_TEXT
    assert "Valid (format only)" in page_text(page)


def test_invalid_output_is_shown_as_text_beside_its_errors(
    page: AppTest, model_server: FakeModelServer
) -> None:
    invalid = {"title": "![x](http://evil.test/x.png) **b**", "year": "<b>soon</b>"}
    model_server.replies += [grammar_probe_reply(), *[json_reply(invalid)] * 3]
    start(type_schema(page, FILM))
    assert ":red-badge[:material/error: Invalid]" in page_text(page)
    assert "/year · type" in [text.value for text in page.text]
    assert json.loads(page.code[0].value) == invalid
    rendered = "".join(markdown.value for markdown in page.markdown)
    assert "](http" not in rendered
    assert "<b>" not in rendered.replace(r"\<b>", "")
    model_server.replies.append(json_reply(LIGHT))
    page.button(key="structured_retry").click().run()
    assert "Valid" in page_text(page)


def test_truncated_output_is_shown_with_the_next_step(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply(), *[truncated_reply('{"title": "Li')] * 3]
    start(type_schema(page, FILM))
    assert "Raise max" in page_text(page)
    assert page.code[0].value == '{"title": "Li'


def test_interrupted_output_is_shown_as_failed(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    chunks = [chunk({"content": '{"title": "Light", '})]
    model_server.replies += [grammar_probe_reply(), Reply(headers=EVENTS, chunks=chunks, end="cut")]
    start(page)
    assert "Failed" in page_text(page)
    assert page.code[0].value == '{"title": "Light", '
    assert not page.exception


def test_unsupported_schema_shows_the_location(page: AppTest) -> None:
    start(type_schema(page, {"type": "object", "properties": {"a": False}, "required": ["a"]}))
    assert "top level. Edit the schema, then run again." in page_text(page)
    assert page.button(key="structured_retry")


def test_benchmark_shows_scores_chart_and_downloads(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    model_server.replies += [text_reply("Sure!"), grammar_probe_reply(), json_reply(LIGHT)]
    model_server.replies += [text_reply("No."), json_reply(LIGHT)]
    run_benchmark(page, repetitions=2, methods=["free text", "SmolChat"])
    table = page.table[0].value
    assert list(table["Method"]) == ["free text", "SmolChat"]
    assert list(table["Valid"]) == ["0% of 2", "100% of 2"]
    assert list(table["95% interval"]) == ["0 to 66%", "34 to 100%"]
    assert page.get("vega_lite_chart")
    assert len(page.get("download_button")) == 2
    assert not page.exception


def test_failed_benchmark_shows_the_error(
    page: AppTest, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("API_BASE_URL", f"http://localhost:{port}")
    st.cache_resource.clear()
    run_benchmark(page, repetitions=1, methods=["json_object"])
    assert "Can't reach the API at" in page_text(page)
    assert not model_server.chat_requests


def test_custom_schema_can_be_edited_while_the_api_is_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    page = open_page(f"http://localhost:{port}", monkeypatch, "structured")
    assert f"`uvicorn backend.main:app --port {port}`" in page_text(page)
    assert page.text_area(key="structured_schema").value
    start(page)
    assert [button.label for button in page.button if button.label == "Retry"] == ["Retry"]
    assert len(page.warning) == 1
    with running_api(settings, port=port):
        page.button(key="service_retry").click().run()
        assert "It answers again" in page.warning[0].value
        assert page.button(key="structured_retry")
    assert not page.exception


def test_result_is_marked_when_the_schema_or_the_prompt_is_another(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply(), json_reply(EVENT)]
    start(select_schema(page, "event"))
    assert "For an earlier" not in page_text(page)
    prompt = page.text_area(key="structured_prompt")
    original = prompt.value
    prompt.set_value("Another party.").run()
    assert "For an earlier prompt" in page_text(page)
    select_schema(page, "recipe")
    assert "For an earlier schema and prompt" in page_text(page)
    page.text_area(key="structured_prompt").set_value(original).run()
    select_schema(page, "event")
    assert "For an earlier" not in page_text(page)
    assert "Valid" in page_text(page)


def test_result_of_a_custom_schema_is_marked_when_it_is_edited(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    model_server.replies += [grammar_probe_reply(), json_reply(LIGHT)]
    start(page)
    for schema in (FILM | {"title": "x"}, "{"):
        type_schema(page, schema)
        assert "For an earlier schema]" in page_text(page)
    type_schema(page, json.dumps(FILM, indent=4))
    assert "For an earlier" not in page_text(page)


def test_benchmark_is_marked_when_the_prompt_is_another(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    model_server.replies.append(text_reply("![x](http://evil.test/x.png)"))
    run_benchmark(page, repetitions=1, methods=["free text"])
    assert "Invalid JSON" in page.table[0].value["Most frequent error"][0]
    page.text_area(key="structured_prompt").set_value("Another.").run()
    assert "For an earlier prompt]" in page_text(page)


def test_example_of_a_former_schema_is_never_sent(
    page: AppTest, model_server: FakeModelServer
) -> None:
    former = prompt(select_schema(page, "event"))
    page.button_group(key="structured_type").set_value("sentiment")
    page.text_area(key="structured_prompt").set_value(former)  # the browser has no other one yet
    model_server.replies += [grammar_probe_reply(), json_reply({"label": "neutral", "score": 0.5})]
    start(page)
    assert model_server.chat_requests[-1].body["messages"][-1]["content"] == EXAMPLES["sentiment"]
    assert prompt(page) == EXAMPLES["sentiment"]


def test_loading_model_is_shown_before_the_first_run(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, chunks=[b'{"error":{"message":"Loading model"}}'])
    page = open_page(api_url, monkeypatch, "structured")
    assert "loading" in page.warning[0].value
    assert page.button(key="service_retry")
