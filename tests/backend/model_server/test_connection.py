"""Messages for a model server that redirects."""

import pytest

from backend.model_server.connection import MAX_TARGET_CHARACTERS, redirect_error

CHAT = "http://llm.lan/v1/chat/completions"


@pytest.mark.parametrize(
    ("url", "location", "target", "base_url"),
    [
        (CHAT, "https://llm.lan/v1/chat/completions", None, "https://llm.lan/v1"),
        (CHAT, "/api/v1/chat/completions", "http://llm.lan/api/v1/chat/completions", None),
        (CHAT, "//other:81/v1/chat/completions/", None, "http://other:81/v1"),
        ("http://llm.lan/v1/models", "https://llm.lan/v1/models", None, "https://llm.lan/v1"),
        ("http://[::1]:8/v1/models", "http://[::1]:9/v1/models", None, "http://[::1]:9/v1"),
        (
            CHAT,
            "https://ann:secret@llm.lan/v1/models?token=secret#secret",
            None,
            "https://llm.lan/v1",
        ),
        (CHAT, "http://other/v1/models;jsessionid=secret", None, "http://other/v1"),
        (CHAT, "HTTP://LLM.lan/v1/chat/completions/", f"{CHAT}/", None),
    ],
)
def test_redirect_error_names_the_target_and_the_base_url_to_set(
    url: str, location: str, target: str | None, base_url: str | None
) -> None:
    message = redirect_error(url, location).message
    if target:
        assert f" redirects to {target}. " in message
    if base_url:
        assert message.endswith(f"Set DMR_BASE_URL to {base_url}.")
    assert "secret" not in message


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/v1/chat/completions/", "to http://llm.lan/v1/chat/completions/"),
        ("https://login.lan/sign-in?next=secret", "to https://login.lan/sign-in"),
        (None, "elsewhere"),
        ("", "elsewhere"),
        ("javascript:alert(1)", "elsewhere"),
        ("http://[::1/v1/models", "elsewhere"),
        ("http://x/\x1b[31m", "elsewhere"),
        ("http://x/" + "a" * MAX_TARGET_CHARACTERS, "elsewhere"),
    ],
)
def test_redirect_error_without_a_base_url_to_set(location: str | None, shown: str) -> None:
    message = redirect_error(CHAT, location).message
    assert message == (
        f"The model server at http://llm.lan/v1 redirects {shown}. Check DMR_BASE_URL."
    )
