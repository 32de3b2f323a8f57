"""ChatGPT's data export."""

from typing import Any

import pytest

from tests.support.imports import current_content, import_chat, left_out, outline

Json = dict[str, Any]


def node(parent: str | None, role: str, *parts: Any, **fields: Any) -> Json:
    content = {"content_type": "text", "parts": list(parts)} | fields.pop("content", {})
    message = {"author": {"role": role}, "create_time": 1700000000.5, "content": content}
    message |= {"recipient": "all", "metadata": {}} | fields
    return {"message": message, "parent": parent, "children": []}


def export(current: str | None = None, **nodes: Json) -> list[Json]:
    root = {"id": "root", "message": None, "parent": None, "children": list(nodes)[:1]}
    times = {"create_time": 1700000000.0, "update_time": 1700000009.0}
    mapping = {"root": root} | nodes
    return [
        {"title": "A chat", "mapping": mapping, "current_node": current or list(nodes)[-1]} | times
    ]


def test_branches_and_the_current_message_are_imported() -> None:
    chat = import_chat(
        export(
            "b",
            s=node("root", "system", ""),
            q=node("s", "user", "Hello"),
            a=node("q", "assistant", "One", metadata={"model_slug": "gpt"}),
            b=node("q", "assistant", "Two"),
        )
    )
    assert outline(chat) == [
        ("user", "Hello", None),
        ("assistant", "One", "Hello"),
        ("assistant", "Two", "Hello"),
    ]
    assert (chat.title, chat.model, current_content(chat)) == ("A chat", "gpt", "Two")
    assert (chat.created_at.timestamp(), chat.updated_at.timestamp()) == (1700000000, 1700000009)


@pytest.mark.parametrize(
    "hidden",
    [
        node("q", "system", "Secret", metadata={"is_visually_hidden_from_conversation": True}),
        node("q", "user", content={"content_type": "user_editable_context", "parts": None}),
        node("q", "assistant", content={"content_type": "model_editable_context"}),
        node("q", "assistant", content={"content_type": "reasoning_recap", "content": "5 s"}),
        node("q", "system", "  "),
        {"message": None, "parent": "q"},
        {"parent": "q"},
    ],
)
def test_hidden_nodes_are_not_imported(hidden: Json) -> None:
    chat = import_chat(
        export(q=node("root", "user", "Hello"), h=hidden, a=node("h", "assistant", "Yes"))
    )
    assert outline(chat) == [("user", "Hello", None), ("assistant", "Yes", "Hello")]


def test_thoughts_are_the_reasoning_of_the_answer_that_follows() -> None:
    thoughts = [{"summary": "S", "content": "First."}, {"content": "Then."}]
    chat = import_chat(
        export(
            q=node("root", "user", "Hello"),
            t=node("q", "assistant", content={"content_type": "thoughts", "thoughts": thoughts}),
            r=node("t", "assistant", content={"content_type": "reasoning_recap"}),
            a=node("r", "assistant", "Yes"),
        )
    )
    assert outline(chat) == [("user", "Hello", None), ("assistant", "Yes", "Hello")]
    assert chat.messages[1].reasoning == "First.\n\nThen."


def test_call_of_a_tool_and_its_output_are_imported() -> None:
    chat = import_chat(
        export(
            q=node("root", "user", "Hello"),
            c=node("q", "assistant", content={"content_type": "code", "text": "1 + 1"},
                   recipient="python", id="c1"),
            o=node("c", "tool", content={"content_type": "execution_output", "text": "2"}),
            a=node("o", "assistant", "It is 2."),
        )
    )  # fmt: skip
    function = {"name": "python", "arguments": "1 + 1"}
    assert chat.messages[1].tool_calls == [{"id": "c1", "type": "function", "function": function}]
    assert outline(chat)[2:] == [("tool", "2", ""), ("assistant", "It is 2.", "2")]


def test_images_and_files_are_named_as_left_out() -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file://x"}
    transcript = {"content_type": "audio_transcription", "text": "spoken"}
    question = node(
        "root",
        "user",
        image,
        "See",
        transcript,
        content={"content_type": "multimodal_text"},
        metadata={"attachments": [{"id": "f", "name": "plan.pdf"}]},
    )
    exported = export(q=question)
    assert outline(import_chat(exported)) == [("user", "See\nspoken", None)]
    assert left_out(exported) == "Not imported: image, file “plan.pdf”."


@pytest.mark.parametrize(
    "content",
    [None, 7, {}, {"parts": 7}, {"parts": [None, 7, [], {}]}, {"content_type": 7, "text": "x"}],
)
def test_unknown_content_does_not_refuse_the_chat(content: object) -> None:
    nodes = {"q": node("root", "user", "Hello"), "a": node("q", "assistant", "Yes")}
    nodes["x"] = {"message": {"author": {"role": "assistant"}, "content": content}, "parent": "q"}
    assert import_chat(export("a", **nodes)).messages[0].content == "Hello"
