"""The page of JSON as Streamlit runs it, against the real API with a scripted model behind it."""

import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.processes import free_port
from structured.schema_picker import CUSTOM, EXAMPLES
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.streamlit_app import opened
from tests.support.structured_responses import EVENT, FILM, cut_off, has_grammar, said, written

LIGHT = {"title": "Light", "year": 1999}


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return opened(api_url, monkeypatch, "structured")


def choose(page: AppTest, form: str) -> AppTest:
    return page.button_group(key="structured_form").set_value(form).run()


def type_schema(page: AppTest, schema: Any) -> AppTest:
    choose(page, CUSTOM)
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return page.text_area(key="structured_schema").set_value(text).run()


def start(page: AppTest) -> AppTest:
    return page.button(key="structured_start").click().run()


def measure(page: AppTest, *, times: int, ways: list[str]) -> AppTest:
    page.button_group(key="structured_part").set_value("Reliability").run()
    page.number_input(key="structured_times").set_value(times)
    page.button_group(key="structured_ways").set_value(ways)
    return start(page)


def told(page: AppTest) -> str:
    """Give all that stands on the page as text, code and warnings."""
    parts = [*page.text, *page.code, *page.warning, *page.markdown]
    return "\n".join(str(part.value) for part in parts)


def prompt(page: AppTest) -> str:
    return str(page.text_area(key="structured_prompt").value)


def test_the_page_offers_the_registered_types_and_something_to_ask(page: AppTest) -> None:
    assert page.title[0].value == "JSON that fits"
    forms = page.button_group(key="structured_form")
    assert forms.options == [
        "Recipe", "Event", "Contact", "Invoice", "Sentiment", CUSTOM,
    ]  # fmt: skip
    assert prompt(page) == EXAMPLES["recipe"]
    assert not page.exception
    assert not page.warning


def test_a_valid_object_is_shown_with_what_it_cost_and_how_it_came(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar(), written(EVENT)]
    start(choose(page, "event"))
    assert json.loads(page.code[1].value) == EVENT
    assert ":green-badge[:material/check_circle: Valid]" in told(page)
    assert "event · 1 attempt · " in told(page)
    assert [e.label for e in page.main.expander][1:] == ["Attempts: 1", "Raw text", "What was sent"]
    assert '"name"' in page.main.expander[-1].code[0].value
    assert not page.exception


def test_the_example_follows_the_form_until_a_person_writes(page: AppTest) -> None:
    assert prompt(choose(page, "sentiment")) == EXAMPLES["sentiment"]
    page.text_area(key="structured_prompt").set_value("My own words.").run()
    assert prompt(choose(page, "event")) == "My own words."


def test_an_own_schema_is_judged_and_asked_for(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    assert "A schema: 2 fields, all required" in told(page)
    model_server.replies += [has_grammar(), written(LIGHT)]
    start(page)
    assert "your schema · 1 attempt" in told(page)
    assert json.loads(page.code[0].value) == LIGHT


def test_a_slip_in_a_schema_is_told_at_its_place_and_nothing_is_asked(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, '{\n  "type": "object",\n}')
    assert "At line 3, column 1" in page.warning[0].value
    assert page.code[0].value.endswith("^")
    start(page)
    assert "Put the schema right first." in told(page)
    assert not model_server.chats
    type_schema(page, FILM)
    model_server.replies += [has_grammar(), written(LIGHT)]
    start(page)
    assert not page.warning


def test_a_registered_schema_can_be_copied_and_changed(page: AppTest) -> None:
    page.button(key="structured_copy").click().run()
    assert '"ingredients"' in str(page.text_area(key="structured_schema").value)
    assert "5 fields, all required" in told(page)


def test_nothing_is_asked_without_a_prompt(page: AppTest, model_server: FakeModelServer) -> None:
    page.text_area(key="structured_prompt").set_value(" ")
    start(page)
    assert "Write a prompt first." in told(page)
    assert not model_server.chats


def test_parameters_and_the_model_are_sent_and_kept_between_pages(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.number_input(key="parameter_seed").set_value(7).run()
    page.switch_page("app_pages/chat.py").run()
    assert page.number_input(key="parameter_seed").value == 7
    page.chat_input[0].set_value("Hello").run()
    assert model_server.chats[0].body["seed"] == 7
    page.switch_page("app_pages/structured.py").run()
    assert page.number_input(key="parameter_seed").value == 7
    model_server.replies += [has_grammar(), written(EVENT)]
    start(choose(page, "event"))
    assert model_server.chats[-1].body["seed"] == 7


def test_what_does_not_fit_is_shown_as_text_beside_its_errors(
    page: AppTest, model_server: FakeModelServer
) -> None:
    bad = {"title": "![x](http://evil.test/x.png) **b**", "year": "<b>soon</b>"}
    model_server.replies += [has_grammar(), *[written(bad)] * 3]
    start(type_schema(page, FILM))
    assert ":red-badge[:material/error: Not valid]" in told(page)
    assert "/year · type" in [text.value for text in page.text]
    assert json.loads(page.code[0].value) == bad
    shown = "".join(markdown.value for markdown in page.markdown)
    assert "](http" not in shown
    assert "<b>" not in shown.replace(r"\<b>", "")
    model_server.replies.append(written(LIGHT))
    page.button(key="structured_retry").click().run()
    assert "Valid" in told(page)


def test_what_was_cut_off_is_shown_with_what_to_do(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar(), *[cut_off('{"title": "Li')] * 3]
    start(type_schema(page, FILM))
    assert "Raise max" in told(page)
    assert page.code[0].value == '{"title": "Li'


def test_what_broke_off_is_shown_as_far_as_it_was_certain(
    page: AppTest, model_server: FakeModelServer
) -> None:
    type_schema(page, FILM)
    begun = [chunk({"content": '{"title": "Light", '})]
    model_server.replies += [has_grammar(), Reply(headers=EVENTS, pieces=begun, end="cut")]
    start(page)
    assert "Broken off" in told(page)
    assert page.code[0].value == '{"title": "Light", '
    assert not page.exception


def test_a_schema_that_the_api_refuses_is_told_with_its_place(page: AppTest) -> None:
    start(type_schema(page, {"type": "object", "properties": {"a": False}, "required": ["a"]}))
    assert "It is the schema as a whole." in told(page)
    assert page.button(key="structured_retry")


def test_the_ways_are_measured_and_exported(page: AppTest, model_server: FakeModelServer) -> None:
    type_schema(page, FILM)
    model_server.replies += [
        said("Sure!"), has_grammar(), written(LIGHT), said("No."), written(LIGHT),
    ]  # fmt: skip
    measure(page, times=2, ways=["free text", "SmolChat"])
    table = page.table[0].value
    assert list(table["Way"]) == ["free text", "SmolChat"]
    assert list(table["Valid"]) == ["0% of 2", "100% of 2"]
    assert list(table["95 % interval"]) == ["0 to 66%", "34 to 100%"]
    assert page.get("vega_lite_chart")
    assert len(page.get("download_button")) == 2
    assert not page.exception


def test_a_measurement_that_fails_says_why(
    page: AppTest, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("API_BASE_URL", f"http://localhost:{port}")
    st.cache_resource.clear()
    measure(page, times=1, ways=["json_object"])
    assert "Nothing answers at" in told(page)
    assert not model_server.chats


def test_an_api_that_is_down_is_told_and_an_own_schema_can_still_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    page = opened(f"http://localhost:{port}", monkeypatch, "structured")
    assert f"`uvicorn backend.main:app --port {port}`" in told(page)
    assert page.text_area(key="structured_schema").value
    start(page)
    assert page.button(key="structured_retry")
    assert not page.exception


def test_a_model_server_in_trouble_is_told_before_anyone_asks(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, pieces=[b'{"error":{"message":"Loading model"}}'])
    page = opened(api_url, monkeypatch, "structured")
    assert "loading" in page.warning[0].value
    assert page.button(key="service_retry")
