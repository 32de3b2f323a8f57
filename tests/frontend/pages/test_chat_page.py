"""The chat page as Streamlit runs it, against the real API with a scripted model behind it."""

import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.processes import free_port
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, replay, stream_of
from tests.support.streamlit_app import ask, facts, opened, said, warnings


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return opened(api_url, monkeypatch)


def test_an_empty_chat_offers_something_to_try(page: AppTest) -> None:
    assert page.title[0].value == "What should a small model try?"
    assert "Runs on **this computer**" in page.markdown[0].value
    assert len([button for button in page.button if "**" in button.label]) == 4
    assert page.selectbox[0].value == "ai/smollm2:latest"
    assert not page.exception


def test_a_question_gets_its_answer_and_what_it_cost(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["It is ", "**Paris**."]))
    ask(page, "Where? <b>*x*</b>")
    assert said(page, "user") == ["Where? <b>*x*</b>"]
    assert said(page, "assistant") == ["It is **Paris**."]
    assert "smollm2:latest · 50.0 tokens/s · first token " in facts(page)
    assert facts(page).endswith(" · 31 in · 2 out")


def test_another_model_can_be_chosen_and_is_described(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {"parameters": "361.82M", "quantization": "Q4_K_M", "context_window": 8192}
    models = [{"id": "docker.io/ai/other:latest", "dmr": described}, {"id": "ai/smollm2"}]
    model_server.models = Reply(pieces=[json.dumps({"data": models}).encode()])
    page = opened(api_url, monkeypatch)
    assert page.selectbox[0].value == "ai/smollm2:latest"
    page.selectbox[0].select("ai/other:latest").run()
    assert page.sidebar.caption[0].value == "361.82 M parameters · Q4_K_M · context 8,192"
    ask(page, "Hello")
    assert model_server.chats[0].body["model"] == "ai/other:latest"


def test_a_starter_is_asked_with_a_click(page: AppTest, model_server: FakeModelServer) -> None:
    page.button(key="chat_starter_Plan").click().run()
    assert said(page, "user") == ["Plan a 20-minute lunch with eggs and spinach."]
    assert model_server.chats
    assert not page.title


def test_the_model_is_sent_the_whole_conversation_and_nothing_that_was_not_chosen(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["One."]), stream_of(["Two."])]
    ask(ask(page, "First"), "Second")
    body = model_server.chats[-1].body
    assert [m["content"] for m in body["messages"]] == [
        "You are a helpful assistant.",
        "First",
        "One.",
        "Second",
    ]
    # The rest is for the receipt: usage, a seed that can be told, and how far the prompt is read.
    asked = {"messages", "model", "stream", "max_tokens"}
    assert set(body) == asked | {"stream_options", "seed", "return_progress"}


def test_parameters_and_the_system_prompt_are_sent_once_set(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.number_input(key="parameter_temperature").set_value(0.0)
    page.number_input(key="parameter_seed").set_value(7)
    page.multiselect(key="parameter_stop").set_value([r"\n"])
    page.text_area(key="chat_system").set_value("Be brief.").run()
    assert any(text.value == r"Sent: temperature 0 · seed 7 · stop '\n'" for text in page.text)
    ask(page, "Hello")
    body = model_server.chats[0].body
    assert (body["temperature"], body["seed"], body["stop"]) == (0.0, 7, ["\n"])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert any(text.value == "System prompt: Be brief." for text in page.text)


def test_reset_takes_the_parameters_back(page: AppTest, model_server: FakeModelServer) -> None:
    page.number_input(key="parameter_top_k").set_value(5).run()
    page.button(key="parameter_reset").click().run()
    ask(page, "Hello")
    assert "top_k" not in model_server.chats[0].body


def test_an_answer_stays_beside_a_new_one_that_fails(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["Good."]), replay("err-load-broken-file-stream")]
    ask(page, "Hello")
    page.button(key="chat_again").click().run()
    assert "damaged" in warnings(page)
    model_server.replies += [stream_of(["Better."]), stream_of(["Two."])]
    page.button(key="chat_retry").click().run()
    assert said(page, "assistant") == ["Better."]
    assert not page.warning
    for good in ("Later", "Earlier", "Earlier"):
        buttons = [b for b in page.button if good in b.label and not b.disabled]
        if buttons:
            buttons[-1].click().run()
    assert said(page, "assistant") == ["Good."]
    ask(page, "Go on")
    assert {"role": "assistant", "content": "Good."} in model_server.chats[-1].body["messages"]


def test_a_model_that_was_chosen_stays_while_nothing_answers(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'
    model_server.models = Reply(pieces=[both])
    page = opened(api_url, monkeypatch)
    page.selectbox[0].select("ai/other").run()
    model_server.models = Reply(status=503, pieces=[b"Loading model"])
    st.cache_resource.clear()
    page.run()
    assert warnings(page)
    assert page.selectbox[0].value == "ai/other"


def test_a_stopped_or_regenerated_answer_is_asked_for_anew(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["Bad."]), stream_of(["Good."])]
    ask(page, "Hello")
    page.button(key="chat_again").click().run()
    assert said(page, "assistant") == ["Good."]
    assert model_server.chats[1].body["messages"] == model_server.chats[0].body["messages"]


def test_new_chat_starts_over(page: AppTest) -> None:
    ask(page, "Hello")
    page.button(key="chat_new").click().run()
    assert page.title[0].value == "What should a small model try?"
    assert not page.chat_message


def test_an_answer_that_breaks_off_keeps_its_text_and_can_be_retried(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="cut")
    )
    ask(page, "Hello")
    assert said(page, "assistant") == ["Once"]
    assert facts(page).endswith("broken off")
    assert len(page.warning) == 1
    model_server.replies.append(stream_of(["Twice."]))
    page.button(key="chat_retry").click().run()
    assert said(page, "assistant") == ["Twice."]
    assert not page.warning


def test_reasoning_is_folded_apart(page: AppTest, model_server: FakeModelServer) -> None:
    pieces = [chunk({"reasoning_content": "Hm."}), chunk({"content": "Yes."}), chunk({}, "stop")]
    model_server.replies.append(Reply(headers=EVENTS, pieces=[*pieces, b"data: [DONE]\n\n"]))
    ask(page, "Hello")
    folded = page.chat_message[1].expander[0]
    assert (folded.label, folded.markdown[0].value) == ("Reasoning", "Hm.")
    assert page.chat_message[1].markdown[-1].value == "Yes."


def test_what_a_model_writes_is_made_safe(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_of(["![x](http://evil.test/", "x.png) <b>"]))
    ask(page, "Hello")
    assert said(page, "assistant") == [r"[Image: x](<http://evil.test/x.png>) \<b>"]


def test_an_api_that_is_down_is_told_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    page = opened(f"http://localhost:{port}", monkeypatch)
    assert "Nothing answers at" in warnings(page)
    assert f"`uvicorn backend.main:app --port {port}`" in warnings(page)
    ask(page, "Hello")
    assert said(page, "user") == ["Hello"]
    assert len(page.warning) == 1
    assert page.button(key="chat_problem_retry")
    assert not page.exception


def test_the_page_goes_on_when_the_api_is_back(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    page = ask(opened(f"http://localhost:{port}", monkeypatch), "Hello")
    monkeypatch.setenv("API_BASE_URL", api_url)
    st.cache_resource.clear()
    page.button(key="chat_problem_retry").click().run()
    assert said(page, "assistant")
    assert not page.warning


def test_a_model_server_in_trouble_is_told_before_anyone_asks(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, pieces=[b'{"error":{"message":"Loading model"}}'])
    page = opened(api_url, monkeypatch)
    assert "loading" in warnings(page)
    assert page.selectbox[0].value == "ai/smollm2:latest"
    model_server.models = replay("engines-llamacpp-v1-models")
    page.button(key="service_retry").click().run()
    assert not page.warning
