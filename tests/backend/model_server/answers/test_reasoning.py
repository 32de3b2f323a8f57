"""Text and reasoning are told apart, in whatever form a server sends them, wherever it is cut."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.reasoning import ReasoningReader
from backend.model_server.answers.reasoning_separator import ReasoningSeparator

TAGS = [
    ("<think>", "</think>"),
    ("<Think>", "</Think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel>thought\n", "<channel|>"),
]
GPT_OSS = (
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Four."
)
# Content, and the text and reasoning in it.
CONTENTS = [
    *((f"{begin}Hm.{end}Four.", "Four.", "Hm.") for begin, end in TAGS),
    *((f"{begin}\nHm.\n\nSo.\n{end}\n\nFour.\n", "Four.\n", "Hm.\n\nSo.") for begin, end in TAGS),
    *((f"\n {begin} Hm. ", "", "Hm.") for begin, end in TAGS),
    *((f"Hm.\n{end}\n\nFour.", "Four.", "Hm.") for begin, end in TAGS),
    *((f"{end}\nFour.", "Four.", None) for begin, end in TAGS),
    (GPT_OSS, "Four.", "Hm."),
    (f"<|start|>assistant{GPT_OSS}", "Four.", "Hm."),
    ("<|channel|>final<|message|>Four.", "Four.", None),
    ("<think>\n\n</think>\n\nFour.", "Four.", None),
    ("<think></think>", "", None),
    ("<think>a</think>\n<think>b</think>\nFour.", "Four.", "ab"),
    ("<think>a <think> b </think>Four.", "Four.", "a <think> b"),
    ("<think>Is 1 < 2? [1] </thin</think>Four.", "Four.", "Is 1 < 2? [1] </thin"),
    ("<think>Hm.</think>Write `</think>` or </think> here.",
     "Write `</think>` or </think> here.", "Hm."),
    ("Four.", "Four.", None),
    ("\n\nFour.\n", "\n\nFour.\n", None),
    (" ", " ", None),
    ("", "", None),
    ("1 < 2 <", "1 < 2 <", None),
    ("<thin", "<thin", None),
    ("<thing>Four.</thing>", "<thing>Four.</thing>", None),
    ("[think] about it", "[think] about it", None),
    ("[1, 2]", "[1, 2]", None),
    ("Four. <think>Hm.</think>", "Four. <think>Hm.</think>", None),
    ("The tags <think>…</think> hold it.", "The tags <think>…</think> hold it.", None),
    ("Close it with `</think>`, please.", "Close it with `</think>`, please.", None),
    ("See:\n```\n</think>\n```\nDone.", "See:\n```\n</think>\n```\nDone.", None),
    ("```\n<think>\nHm.\n</think>\n```", "```\n<think>\nHm.\n</think>\n```", None),
    ('{"tag": "</think>"}', '{"tag": "</think>"}', None),
    ('["a </think> b"]', '["a </think> b"]', None),
    ("Say `</think>`?\nNo.\n</think>\nFour.", "Four.", "Say `</think>`?\nNo."),
    ('{"a": 1} will not do.</think>{"a": 2}', '{"a": 2}', '{"a": 1} will not do.'),
    ("<answer><reason>a</reason></answer>", "<answer><reason>a</reason></answer>", None),
]  # fmt: skip


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


def _events(deltas: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return [*events, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


def _read(responses: Iterable[dict[str, Any]], prefix: str = "") -> tuple[str, str | None]:
    """Return the text and reasoning that are stored."""
    message = MessageBuilder(prefix)
    for response in responses:
        message.add(response)
    fields = message.stored_fields()
    return fields["content"], fields["reasoning"]


def _separate(events: Sequence[dict[str, Any]]) -> tuple[str, str | None]:
    """Return the text and reasoning that a client collects from a stream that is rewritten."""
    separator, content, reasoning = ReasoningSeparator(), "", ""
    for event in events:
        for chunk in separator.rewrite(event):
            if so_far := chunk.get("smolchat", {}).get("reasoning_so_far"):
                assert chunk["choices"] == []
                assert so_far["text"] == content.strip() or not content
                content, reasoning = "", reasoning + so_far["text"]
            for choice in chunk["choices"]:
                assert set(choice["delta"]) <= {"role", "content", "reasoning_content"}
                content += choice["delta"].get("content", "")
                reasoning += choice["delta"].get("reasoning_content", "")
    return content, reasoning or None


def _separate_whole(message: dict[str, Any]) -> tuple[str, str | None]:
    response = {"choices": [{"message": dict(message)}]}
    ReasoningSeparator().rewrite_response(response)
    [choice] = response["choices"]
    return choice["message"]["content"], choice["message"].get("reasoning_content")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(("content", "text", "reasoning"), CONTENTS)
def test_reasoning_in_content_is_found_wherever_it_is_cut(
    content: str, text: str, reasoning: str | None, size: int
) -> None:
    deltas = [{"content": piece} for piece in _pieces(content, size)]
    assert _read(_events(deltas)) == (text, reasoning)
    assert _separate(_events(deltas)) == (text, reasoning)
    assert _read([{"choices": [{"message": {"content": content}}]}]) == (text, reasoning)
    assert _separate_whole({"content": content}) == (text, reasoning)


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "Hm.", "content": "Four."},
        {"reasoning": "Hm.", "content": "Four."},
        {"thinking": "Hm.", "content": "Four."},
        {"reasoning_text": "Hm.", "content": "Four."},
        {"reasoning": "Hm.", "reasoning_content": "Hm.", "content": "Four."},
        {"reasoning": {"content": "Hm."}, "content": "Four."},
        {"reasoning": {"text": "Hm.", "effort": "low"}, "content": "Four."},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
         "content": "Four."},
        {"reasoning": None, "reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}],
         "content": "Four."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
         "content": "Four."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                     {"type": "text", "text": "Four."}]},
        {"content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"},
                     {"type": "text", "text": "Four."}]},
        {"content": [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Four."}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                     {"type": "output_text", "text": "Four.", "annotations": []}]},
        {"content": [{"text": "Hm.", "thought": True}, {"text": "Four."}]},
        {"content": [{"type": "text", "text": "<think>Hm.</think>Four."}]},
        {"reasoning_content": "Hm.", "content": {"type": "text", "text": "Four."}},
        {"reasoning_content": "Hm.", "content": ["Fo", "ur."]},
        {"reasoning_content": "Hm.", "content": None, "refusal": "Four."},
        {"reasoning_content": "Hm.", "content": [{"type": "refusal", "refusal": "Four."}]},
        {"reasoning_content": "Hm.", "content": "</think>\n\nFour."},
    ],
)  # fmt: skip
def test_reasoning_is_read_from_any_field(message: dict[str, Any]) -> None:
    assert _read([{"choices": [{"message": message}]}]) == ("Four.", "Hm.")
    assert _read(_events([message])) == ("Four.", "Hm.")
    assert _separate(_events([message])) == ("Four.", "Hm.")
    assert _separate_whole(message) == ("Four.", "Hm.")


def test_content_parts_in_pieces_are_joined() -> None:
    deltas: list[dict[str, Any]] = [
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}]},
        {"content": [{"type": "text", "text": "Fo"}]},
        {"content": "ur."},
    ]
    assert _read(_events(deltas)) == ("Four.", "Hm.")
    assert _separate(_events(deltas)) == ("Four.", "Hm.")


@pytest.mark.parametrize("content", [None, 3, True, [], {}, [None, 3], [{"type": "image_url"}]])
def test_content_without_text_is_empty(content: Any) -> None:
    assert _read(_events([{"content": content}])) == ("", None)
    assert _separate(_events([{"content": content}])) == ("", None)
    assert _separate_whole({"content": content}) == ("", None)


def test_a_continued_answer_is_text() -> None:
    deltas = [{"content": piece} for piece in ("<think>", " is a tag, </think> another.")]
    expected = "The tag <think> is a tag, </think> another."
    assert _read(_events(deltas), prefix="The tag ") == (expected, None)


@pytest.mark.parametrize(
    ("prefix", "content", "text", "reasoning"),
    [
        ("<think>\n", "Hm.\n</think>\n\nFour.", "Four.", "Hm."),
        ("<think>\nHm", ". So.</think>Four.", "Four.", "Hm. So."),
        ("<think>\n\n</think>\n\n", "Four.", "Four.", None),
        ("<think>Hm.</think>Fo", "ur.", "Four.", "Hm."),
        ("Fo", "ur.", "Four.", None),
    ],
)
def test_reasoning_may_begin_in_the_prefix(
    prefix: str, content: str, text: str, reasoning: str | None
) -> None:
    deltas = [{"content": piece} for piece in _pieces(content, 3)]
    assert _read(_events(deltas), prefix) == (text, reasoning)


def test_unfinished_message_has_what_is_certain_and_what_is_held_back() -> None:
    message = MessageBuilder()
    seen = []
    for piece in ["<thi", "nk>H", "m. ", "</thi", "nk>", " Fo", "ur."]:
        message.add({"choices": [{"delta": {"content": piece}}]})
        fields = message.message_fields()
        seen.append((fields["content"], fields["reasoning"]))
    assert seen == [
        ("<thi", None),
        ("", "H"),
        ("", "Hm."),
        ("", "Hm. </thi"),
        ("", "Hm."),
        ("Fo", "Hm."),
        ("Four.", "Hm."),
    ]


def test_reasoning_that_only_ends_is_moved_with_a_chunk_of_its_own() -> None:
    separator = ReasoningSeparator()
    chunks = []
    for content in ["Hm. So.\n", "</think>\n\nFour."]:
        event = {"id": "1", "model": "m", "choices": [{"index": 1, "delta": {"content": content}}]}
        chunks += list(separator.rewrite(event))
    first, moved, last = chunks
    assert first["choices"] == [{"index": 1, "delta": {"content": "Hm. So.\n"}}]
    assert moved == {
        "id": "1",
        "model": "m",
        "choices": [],
        "smolchat": {"reasoning_so_far": {"index": 1, "text": "Hm. So."}},
    }
    assert last["choices"] == [{"index": 1, "delta": {"content": "Four."}}]


def test_choices_are_separated_each_on_its_own() -> None:
    separator = ReasoningSeparator()
    texts = {0: "", 1: ""}
    for index, content in [(0, "<think>a"), (1, "b"), (0, "</think>c"), (1, "d")]:
        event = {"choices": [{"index": index, "delta": {"content": content}}]}
        for chunk in separator.rewrite(event):
            texts[index] += chunk["choices"][0]["delta"]["content"]
    assert texts == {0: "c", 1: "bd"}


def test_tool_calls_and_other_fields_are_kept() -> None:
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "a", "arguments": ""}}
    delta = {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [call]}
    [event] = ReasoningSeparator().rewrite({"choices": [{"index": 0, "delta": delta}]})
    expected = {"role": "assistant", "content": "", "reasoning_content": "Hm."}
    assert event["choices"][0]["delta"] == expected | {"tool_calls": [call]}


def test_messages_in_a_stream_are_read_as_deltas() -> None:
    event = {"choices": [{"index": 0, "message": {"content": "<think>Hm.</think>Four."}}]}
    [separated] = ReasoningSeparator().rewrite(copy.deepcopy(event))
    delta = {"content": "Four.", "reasoning_content": "Hm."}
    assert separated["choices"] == [{"index": 0, "delta": delta}]
    assert _read([event]) == ("Four.", "Hm.")


def test_a_function_call_is_kept_as_a_tool_call() -> None:
    message = MessageBuilder()
    for function in [{"name": "add", "arguments": '{"a"'}, {"arguments": ": 1}"}]:
        message.add({"choices": [{"delta": {"function_call": function}}]})
    [call] = message.message_fields()["tool_calls"]
    assert call["function"] == {"name": "add", "arguments": '{"a": 1}'}


def test_a_long_stream_of_tags_and_whitespace_takes_linear_time() -> None:
    message = MessageBuilder()
    for piece in [" "] * 5_000 + ["`</think>` "] * 5_000 + ["a"] * 5_000:
        message.add({"choices": [{"delta": {"content": piece}}]})
    assert len(message.message_fields()["content"]) == 5_000 + 55_000 + 5_000


def test_halves_of_characters_never_reach_the_store() -> None:
    message = MessageBuilder()
    for piece in ["\ud83d", "\ude00 \ud83d"]:
        message.add({"choices": [{"delta": {"content": piece, "reasoning": piece}}]})
    fields = message.message_fields()
    assert (fields["content"], fields["reasoning"]) == ("😀 \ufffd", "😀 \ufffd")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<think type="deep">a</think>b', ("b", "a")),
        ("<Think a=1 b:c='d e'>a</think>b", ("b", "a")),
        ("<think >a</think>b", ("b", "a")),
        ("<thought experiment>a", ("<thought experiment>a", "")),
        ("<reason for it", ("<reason for it", "")),
        ("<think " + "x" * 300, ("<think " + "x" * 300, "")),
    ],
)
def test_tag_with_attributes_begins_reasoning(
    content: str, expected: tuple[str, str], size: int
) -> None:
    reader = ReasoningReader()
    read = [reader.add(content[start : start + size]) for start in range(0, len(content), size)]
    read.append(reader.pending())
    texts, reasoning = ("".join(each[field] or "" for each in read) for field in (0, 1))
    assert (texts, reasoning) == expected
