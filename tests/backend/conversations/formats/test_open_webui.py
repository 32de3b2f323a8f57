"""Exports of Open WebUI."""

import time
from typing import Any

import pytest

from backend.conversations.formats.attachments import MAX_FILE_CHARACTERS
from tests.support.imports import (
    current_content,
    import_chat,
    left_out,
    open_webui_answer,
    open_webui_chat,
    outline,
    parse_file,
)

QUESTION: dict[str, Any] = {"role": "user", "content": "Hi"}
ANSWER: dict[str, Any] = {"role": "assistant", "content": "Hello!", "model": "m"}
REASONING = (
    '<details type="reasoning" done="true">\n<summary>Thought</summary>\n'
    "&gt; It&#x27;s &lt;b&gt;.\n</details>\nIt&#x27;s."
)


def chat_with_branches() -> dict[str, Any]:
    return open_webui_chat(
        QUESTION | {"id": "u", "childrenIds": ["a", "b"]},
        ANSWER | {"id": "a", "parentId": "u", "content": "One", "done": True},
        ANSWER | {"id": "b", "parentId": "u", "content": "Two", "model": "other"},
        QUESTION | {"id": "v", "parentId": "b", "content": "Go on", "timestamp": 1700000009},
        ANSWER | {"id": "c", "parentId": "v", "content": "", "error": {"content": "No!"}},
        ANSWER | {"id": "d", "parentId": "v", "content": "Th", "done": False},
        models=["m"],
        params={"system": "Be brief.", "temperature": 0.2, "seed": None, "num_gpu": 1},
    ) | {"created_at": 1700000000, "updated_at": 1700000010, "archived": False, "user_id": "y"}


def test_branches_states_and_settings_are_imported() -> None:
    chat = import_chat([chat_with_branches()])
    assert outline(chat) == [
        ("user", "Hi", None),
        ("assistant", "One", "Hi"),
        ("assistant", "Two", "Hi"),
        ("user", "Go on", "Two"),
        ("assistant", "", "Go on"),
        ("assistant", "Th", "Go on"),
    ]
    states = [message.state for message in chat.messages]
    assert states == [None, "finished", "finished", None, "failed", "interrupted"]
    assert (chat.messages[4].error or {})["message"] == "No!"
    assert [message.model for message in chat.messages[:3]] == [None, "m", "other"]
    assert (chat.title, chat.model, current_content(chat)) == ("A chat", "m", "Th")
    assert (chat.system_prompt, chat.parameters) == ("Be brief.", {"temperature": 0.2})
    assert (chat.created_at.timestamp(), chat.updated_at.timestamp()) == (1700000000, 1700000010)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda chat: [chat],
        lambda chat: chat,
        lambda chat: {"data": [chat]},
        lambda chat: chat["chat"],
        lambda chat: [chat["chat"]],
    ],
)
def test_file_may_have_one_chat_or_a_list(wrap: Any) -> None:
    assert outline(import_chat(wrap(chat_with_branches())))[0] == ("user", "Hi", None)


@pytest.mark.parametrize(
    "chat",
    [
        {"title": "T", "messages": [QUESTION, ANSWER]},
        {"chat": {"title": "T", "messages": [QUESTION, ANSWER]}},
        {"chat": {"title": "T", "history": {}, "messages": [QUESTION, ANSWER]}},
        {"chat": {"title": "T", "history": None, "messages": [QUESTION, ANSWER]}},
        {"chat": {"title": "T", "history": {"messages": {}}, "messages": [QUESTION, ANSWER]}},
        {"chat": {"title": "T", "history": {"messages": [QUESTION, ANSWER]}}},
    ],
)
def test_list_of_messages_is_one_branch(chat: dict[str, Any]) -> None:
    conversation = import_chat(chat)
    assert conversation.title == "T"
    assert outline(conversation) == [("user", "Hi", None), ("assistant", "Hello!", "Hi")]


@pytest.mark.parametrize(
    ("current", "content"),
    [("a", "One"), ("d", "Th"), ("b", "Th"), ("u", "Th"), (None, None), ("gone", None), (7, None)],
)
def test_current_message_is_the_end_of_its_branch(current: object, content: str | None) -> None:
    chat = chat_with_branches()
    chat["chat"]["history"]["currentId"] = current
    assert current_content(import_chat(chat)) == content


def test_circle_and_missing_parents_lose_no_message() -> None:
    chat = open_webui_chat(
        QUESTION | {"id": "u", "parentId": "a", "timestamp": 1},
        ANSWER | {"id": "a", "parentId": "u", "timestamp": 2},
        QUESTION | {"id": "v", "parentId": "gone", "content": "Alone", "timestamp": 3},
    )
    assert outline(import_chat(chat)) == [
        ("user", "Hi", None),
        ("assistant", "Hello!", "Hi"),
        ("user", "Alone", None),
    ]


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        (REASONING, "It&#x27;s.", "It's <b>."),
        ("<think>\nHm.\n</think>\n\nYes.", "Yes.", "Hm."),
        ([{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Yes."}], "Yes.", "Hm."),
        ("No tags.", "No tags.", None),
        ("", "", None),
        (None, "", None),
    ],
)
def test_reasoning_is_separate_from_the_answer(
    content: object, text: str, reasoning: str | None
) -> None:
    answer = import_chat(open_webui_chat(QUESTION, ANSWER | {"content": content})).messages[1]
    assert (answer.content, answer.reasoning) == (text, reasoning)


def test_markup_in_a_question_stays() -> None:
    text = '<details type="reasoning" done="true">\nWhat is this?\n</details> <think>?</think>'
    chat = import_chat(open_webui_chat(QUESTION | {"content": text}))
    assert chat.messages[0].content == text


def test_tool_call_is_kept_with_its_result() -> None:
    block = (
        '<details type="tool_calls" done="true" id="c1" name="add" '
        'arguments="&quot;{\\&quot;a\\&quot;: 1}&quot;" result="&quot;2&quot;">\n</details>\n'
    )
    answer = import_chat(open_webui_answer(f"{block}It is 2.")).messages[1]
    function = {"name": "add", "arguments": '{"a": 1}'}
    call = {"id": "c1", "type": "function", "function": function, "result": "2"}
    assert (answer.content, answer.tool_calls) == ("It is 2.", [call])


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ({"files": [{"type": "file", "name": "a.pdf", "file": {}}]}, ["file “a.pdf”"]),
        ({"files": [{"type": "file", "file": {"filename": "b.pdf"}}]}, ["file “b.pdf”"]),
        ({"files": [{"type": "image", "url": "0b1c-the-id-of-a-file"}]}, ["image"]),
        ({"files": [{"type": "collection", "name": "Docs"}]}, ["collection “Docs”"]),
        ({"files": [{"url": "x"}, {"url": "y"}]}, ["file (2)"]),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, ["image"]),
        ({"content": [{"type": "file", "file": {"filename": "c.pdf"}}]}, ["file “c.pdf”"]),
        ({"content": [{"type": "input_audio", "input_audio": {}}]}, ["audio"]),
        ({"content": "![plot](/api/v1/files/abc/content)"}, ["image “plot”"]),
        ({"sources": [{"source": {"name": "wiki.html"}}]}, ["source “wiki.html”"]),
        ({"files": [{"type": "file", "name": f"{n}"} for n in range(9)]}, ["4 more"]),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_attachments_are_named_as_left_out(
    message: dict[str, Any], names: list[str], role: str
) -> None:
    chat = open_webui_chat(QUESTION, {"role": role, "content": "See"} | message)
    reason = left_out(chat)
    assert reason.startswith("Not imported: ")
    assert all(name in reason for name in names)
    assert "base64" not in str(import_chat(chat))


def text_file(name: str, text: object) -> dict[str, Any]:
    return {"type": "file", "name": name, "file": {"data": {"content": text}}}


def test_text_of_files_is_part_of_their_message() -> None:
    files = [
        text_file("a.md", "Read ```this```."),
        text_file("long.txt", "x" * (MAX_FILE_CHARACTERS + 1)),
        text_file("odd.txt", ["text"]),
        text_file("c\n].txt", "![a](data:image/png;base64,AAAA)"),
    ]
    chat = open_webui_chat({"role": "user", "content": "See"} | {"files": files}, files=files)
    assert import_chat(chat).messages[0].content == (
        "See\n\n[File: a.md]\n````\nRead ```this```.\n````"
        "\n\n[File: c ].txt]\n```\n![a](data:image/png;base64,AAAA)\n```"
    )
    assert left_out(chat) == "Not imported: file “long.txt” (2), file “odd.txt” (2)."


def test_files_of_the_chat_are_named_as_left_out() -> None:
    chat = open_webui_chat(QUESTION, files=[{"type": "file", "name": "plan.pdf"}])
    [item] = parse_file(chat).left_out
    assert (item.imported, item.title) == (True, "A chat")
    assert item.reason == "Not imported: file “plan.pdf”."


def test_image_in_the_text_is_replaced_by_its_name() -> None:
    text = "Look: ![a plot](data:image/png;base64,AAAA) and ![](data:image/gif;base64,BBBB)."
    answer = import_chat(open_webui_answer(text)).messages[1]
    assert answer.content == "Look: [Image: a plot] and [Image]."


@pytest.mark.parametrize(
    "text",
    [
        "```md\n![a](data:image/png;base64,AAAA)\n```\nThat is how.",
        "~~~\n![a](data:image/png;base64,AAAA)",
        "Write `![a](data:image/png;base64,AAAA)`.",
        "![a](https://a.example/b.png) and ![b](cat.png) and ![",
    ],
)
def test_other_images_in_the_text_stay(text: str) -> None:
    assert import_chat(open_webui_answer(text)).messages[1].content == text


@pytest.mark.parametrize(
    "text",
    ["![" * 100_000 + "data:", "![a](data:" * 50_000, "`" * 300_000 + "![", "```\n" * 99_999],
)
def test_hostile_images_are_read_in_linear_time(text: str) -> None:
    started_at = time.monotonic()
    import_chat(open_webui_answer(text))
    assert time.monotonic() - started_at < 5


def test_invalid_parameter_is_left_out() -> None:
    chat = open_webui_chat(QUESTION, params={"temperature": "hot", "top_k": 5, "stop": [""]})
    assert import_chat(chat).parameters == {"top_k": 5}
    assert "parameter “temperature”" in left_out(chat)


@pytest.mark.parametrize(
    "change",
    [
        {"u": None, "v": 7, "a": []},
        {"u": {"role": None, "content": {"x": 1}, "timestamp": "now", "model": 5, "error": 1}},
        {"b": {"role": "assistant", "content": [{"text": 1}], "timestamp": 1e300, "done": "x"}},
        {"x" * 10_000: {"role": "user", "content": None, "timestamp": -1, "parentId": ["u"]}},
    ],
)
def test_invalid_messages_do_not_refuse_the_others(change: dict[str, Any]) -> None:
    chat = chat_with_branches()
    chat["chat"]["history"]["messages"] |= change
    assert import_chat(chat).messages


def test_message_that_is_no_object_is_named_as_left_out() -> None:
    chat = chat_with_branches()
    chat["chat"]["history"]["messages"]["x"] = 7
    assert left_out(chat) == "Not imported: unreadable message."


def test_chat_without_a_title_is_named_after_its_first_question() -> None:
    chat = {"chat": open_webui_chat(QUESTION | {"content": "What is\nit?"})["chat"] | {"title": ""}}
    assert import_chat(chat).title == "What is it?"
