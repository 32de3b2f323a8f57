"""The chat page without a browser, against the real API with a scripted model server behind it."""

import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.processes import free_port
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.streamlit_app import ask, last_receipt, message_texts, open_page, warnings


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return open_page(api_url, monkeypatch)


def test_empty_chat_shows_the_privacy_notice_and_starters(page: AppTest) -> None:
    assert page.title[0].value == "What can I help with?"
    assert "Runs on **this computer**" in page.markdown[0].value
    assert len([button for button in page.button if "**" in button.label]) == 4
    assert page.selectbox[0].value == "ai/smollm2:latest"
    assert not page.exception


def test_question_gets_an_answer_and_its_stats(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["It is ", "**Paris**."]))
    ask(page, "Where? <b>*x*</b>")
    assert message_texts(page, "user") == ["Where? <b>*x*</b>"]
    assert message_texts(page, "assistant") == ["It is **Paris**."]
    assert "smollm2:latest · 50.0 tokens/s · first token " in last_receipt(page)
    assert " · 31 prompt · 2 completion tokens" in last_receipt(page)


def test_selected_model_is_described_and_used(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = {"parameters": "361.82M", "quantization": "Q4_K_M", "context_window": 8192}
    models = [{"id": "docker.io/ai/other:latest", "dmr": metadata}, {"id": "ai/smollm2"}]
    model_server.models = Reply(chunks=[json.dumps({"data": models}).encode()])
    page = open_page(api_url, monkeypatch)
    assert page.selectbox[0].value == "ai/smollm2:latest"
    page.selectbox[0].select("ai/other:latest").run()
    assert page.sidebar.caption[0].value == "361.82 M parameters · Q4_K_M · context 8,192"
    ask(page, "Hello")
    assert model_server.chat_requests[0].body["model"] == "ai/other:latest"


def test_starter_click_sends_its_question(page: AppTest, model_server: FakeModelServer) -> None:
    page.button(key="chat_starter_Explain").click().run()
    assert message_texts(page, "user") == ["What is photosynthesis? Keep it short."]
    assert model_server.chat_requests
    assert not page.title


def test_request_has_the_whole_conversation_and_no_unset_parameters(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["One."]), stream_reply(["Two."])]
    ask(ask(page, "First"), "Second")
    body = model_server.chat_requests[-1].body
    assert [m["content"] for m in body["messages"]] == [
        "You are a helpful assistant.",
        "First",
        "One.",
        "Second",
    ]
    # The API adds the others for the receipt: usage, a known seed and the progress of the prompt.
    requested = {"messages", "model", "stream", "max_tokens"}
    suitable = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}  # for SmolLM2
    added = {"stream_options", "seed", "return_progress"}
    assert set(body) == requested | added | suitable.keys()
    assert body | suitable == body


def test_defaults_suit_the_selected_model_and_yield_to_what_is_set(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = b'{"data": [{"id": "ai/smollm2", "owned_by": "docker"}, {"id": "other"}]}'
    model_server.models = Reply(chunks=[models])
    page = open_page(api_url, monkeypatch)
    placeholder = page.number_input(key="parameter_temperature").proto.placeholder
    assert placeholder == "0.2"
    page.number_input(key="parameter_temperature").set_value(0.7).run()
    ask(page, "Hello")
    page.button(key="parameter_reset").click().run()
    ask(page, "Hello")
    page.selectbox[0].select("other").run()
    assert page.number_input(key="parameter_temperature").proto.placeholder == "default"
    ask(page, "Hello")
    sent = [request.body for request in model_server.chat_requests]
    assert [body.get("temperature") for body in sent] == [0.7, 0.2, None]
    assert [body.get("repeat_penalty") for body in sent] == [1.1, 1.1, None]


def test_parameters_and_system_prompt_are_sent_if_set(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.number_input(key="parameter_temperature").set_value(0.0)
    page.text_input(key="parameter_seed").set_value("7")
    page.multiselect(key="parameter_stop").set_value([r"\n"])
    page.text_area(key="chat_system").set_value("Be brief.").run()
    assert any(text.value == r"Overrides: temperature 0 · seed 7 · stop '\n'" for text in page.text)
    ask(page, "Hello")
    body = model_server.chat_requests[0].body
    assert (body["temperature"], body["seed"], body["stop"]) == (0.0, 7, ["\n"])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert any(text.value == "System prompt: Be brief." for text in page.text)


def test_reset_clears_the_parameters(page: AppTest, model_server: FakeModelServer) -> None:
    page.number_input(key="parameter_top_k").set_value(5).run()
    page.button(key="parameter_reset").click().run()
    ask(page, "Hello")
    assert "top_k" not in model_server.chat_requests[0].body


def test_answer_is_kept_if_its_regeneration_fails(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["Good."]), replay("err-load-broken-file-stream")]
    ask(page, "Hello")
    page.button(key="chat_regenerate").click().run()
    assert "damaged" in warnings(page)
    model_server.replies += [stream_reply(["Better."]), stream_reply(["Two."])]
    page.button(key="chat_retry").click().run()
    assert message_texts(page, "assistant") == ["Better."]
    assert not page.warning, warnings(page)
    for label in ("Next", "Previous", "Previous"):
        buttons = [b for b in page.button if label in b.label and not b.disabled]
        if buttons:
            buttons[-1].click().run()
    assert message_texts(page, "assistant") == ["Good."]
    ask(page, "Go on")
    assert {"role": "assistant", "content": "Good."} in model_server.chat_requests[-1].body[
        "messages"
    ]


def test_selected_model_is_kept_while_the_model_server_is_down(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'
    model_server.models = Reply(chunks=[both])
    page = open_page(api_url, monkeypatch)
    page.selectbox[0].select("ai/other").run()
    model_server.models = Reply(status=503, chunks=[b"Loading model"])
    st.cache_resource.clear()
    page.run()
    assert warnings(page)
    assert page.selectbox[0].value == "ai/other"


def test_regenerate_sends_the_same_messages(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies += [stream_reply(["Bad."]), stream_reply(["Good."])]
    ask(page, "Hello")
    page.button(key="chat_regenerate").click().run()
    assert message_texts(page, "assistant") == ["Good."]
    assert (
        model_server.chat_requests[1].body["messages"]
        == model_server.chat_requests[0].body["messages"]
    )


def test_new_chat_shows_the_welcome_again(page: AppTest) -> None:
    ask(page, "Hello")
    page.button(key="chat_new").click().run()
    assert page.title[0].value == "What can I help with?"
    assert not page.chat_message


def test_interrupted_answer_keeps_its_text_and_can_be_retried(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="cut")
    )
    ask(page, "Hello")
    assert message_texts(page, "assistant") == ["Once"]
    assert "smollm2:latest · failed" in last_receipt(page)
    assert len(page.warning) == 1
    model_server.replies.append(stream_reply(["Twice."]))
    page.button(key="chat_retry").click().run()
    assert message_texts(page, "assistant") == ["Twice."]
    assert not page.warning


def test_reasoning_is_in_an_expander(page: AppTest, model_server: FakeModelServer) -> None:
    chunks = [chunk({"reasoning_content": "Hm."}), chunk({"content": "Yes."}), chunk({}, "stop")]
    model_server.replies.append(Reply(headers=EVENTS, chunks=[*chunks, b"data: [DONE]\n\n"]))
    ask(page, "Hello")
    expander = page.chat_message[1].expander[0]
    assert (expander.label, expander.markdown[0].value) == ("Reasoning", "Hm.")
    assert page.chat_message[1].markdown[-1].value == "Yes."


def test_model_output_is_sanitized(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["![x](http://evil.test/", "x.png) <b>"]))
    ask(page, "Hello")
    assert message_texts(page, "assistant") == [r"[Image: x](<http://evil.test/x.png>) \<b>"]


def test_api_down_shows_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    page = open_page(f"http://localhost:{port}", monkeypatch)
    assert "Can't reach the API at" in warnings(page)
    assert f"`uvicorn backend.main:app --port {port}`" in warnings(page)
    ask(page, "Hello")
    assert message_texts(page, "user") == ["Hello"]
    assert len(page.warning) == 1
    assert [button.label for button in page.button if button.label in ("Retry", "Send")] == ["Send"]
    assert not page.exception


def test_retry_sends_the_question_once_the_api_is_back(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    page = ask(open_page(f"http://localhost:{port}", monkeypatch), "Hello")
    monkeypatch.setenv("API_BASE_URL", api_url)
    st.cache_resource.clear()
    page.button(key="chat_unsent_send_0").click().run()
    assert message_texts(page, "assistant")
    assert not page.warning


def test_model_server_error_is_shown_before_a_question(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(503, chunks=[b'{"error":{"message":"Loading model"}}'])
    page = open_page(api_url, monkeypatch)
    assert "loading" in warnings(page)
    assert page.selectbox[0].value == "ai/smollm2:latest"
    model_server.models = replay("engines-llamacpp-v1-models")
    page.button(key="service_retry").click().run()
    assert not page.warning
