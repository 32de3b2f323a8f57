"""Tool calls and halves of characters leave in OpenAI's form, whatever a server sends."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic_core import to_json

from backend.model_server.answers.event_normalizer import EventNormalizer, normalize_response

HIGH, LOW = "\ud83d", "\ude00"  # of 😀
CALL_A = {"name": "a", "arguments": '{"x":1}'}
CALL_B = {"name": "b", "arguments": '{"y":2}'}


def _event(delta: Any, finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {"id": "x", "model": "m", "choices": [choice]}


def _call(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [fields]}


def _normalize(deltas: Sequence[Any], *, ends: bool = True) -> list[dict[str, Any]]:
    """Return the choices of the chunks that leave."""
    normalizer = EventNormalizer()
    events = [normalizer.normalize(_event(delta)) for delta in deltas]
    if ends:
        events.append(normalizer.normalize(_event({}, "stop")))
    if pending := normalizer.flush():
        events.append(pending)
    for event in events:
        to_json(event)  # can be sent
    return [choice for event in events for choice in event["choices"]]


def _joined_calls(choices: list[dict[str, Any]]) -> dict[int, dict[str, str]]:
    """Join the calls as OpenAI's clients do: by index; every text is appended."""
    calls: dict[int, dict[str, str]] = {}
    for choice in choices:
        for piece in choice["delta"].get("tool_calls") or ():
            call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] += piece.get("id", "")
            for name in ("name", "arguments"):
                call[name] += piece["function"].get(name, "")
    return calls


def _functions(choices: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the names and arguments of the calls, which have indexes from 0 and distinct ids."""
    calls = _joined_calls(choices)
    assert list(calls) == list(range(len(calls)))
    assert len({call["id"] for call in calls.values()}) == len(calls)
    assert all(call["id"] for call in calls.values())
    return [{"name": call["name"], "arguments": call["arguments"]} for call in calls.values()]


@pytest.mark.parametrize(
    "deltas",
    [
        [_call(index=0, id="1", function=CALL_A), _call(index=0, id="2", function=CALL_B)],
        [_call(index=0, id="1", function=CALL_A), _call(index=1, id="2", function=CALL_B)],
        [_call(index=1, id="1", function=CALL_A), _call(index=2, id="2", function=CALL_B)],
        [_call(id="1", function=CALL_A), _call(id="2", function=CALL_B)],
        [_call(index=0, function=CALL_A), _call(index=1, function=CALL_B)],
        [_call(index=0, function=CALL_A), _call(index=0, function=CALL_B)],
        [_call(function=CALL_A), _call(function=CALL_B)],
        [_call(index="0", id="", function=CALL_A), _call(index="1", id="", function=CALL_B)],
        [_call(index=0, id="a", function=CALL_A), _call(index=1, id="a", function=CALL_B)],
        [_call(index=None, id=7, function=CALL_A), _call(index=None, id=8, function=CALL_B)],
        [_call(index=0, id="1", **CALL_A), _call(index=0, id="2", **CALL_B)],
        [{"tool_calls": [{"function": CALL_A}, {"function": CALL_B}]}],
        [{"tool_calls": [{"index": 0, "function": CALL_A}, {"index": 0, "function": CALL_B}]}],
        [{"tool_calls": {"function": CALL_A}}, {"tool_calls": {"function": CALL_B}}],
        [
            _call(index=0, id="1", function={"name": "a", "arguments": ""}),
            _call(index=0, function={"arguments": '{"x"'}),
            _call(index=0, function={"arguments": ":1}"}),
            _call(index=0, id="2", function={"name": "b", "arguments": ""}),
            _call(index=0, function={"arguments": '{"y":2}'}),
        ],
        [  # in turns
            _call(index=0, id="1", function={"name": "a", "arguments": '{"x"'}),
            _call(index=0, id="2", function={"name": "b", "arguments": '{"y"'}),
            _call(index=0, id="1", function={"arguments": ":1}"}),
            _call(index=0, id="2", function={"arguments": ":2}"}),
        ],
        [  # the name and id in every piece
            _call(index=0, id="1", function={"name": "a", "arguments": '{"x"'}),
            _call(index=0, id="1", function={"name": "a", "arguments": ":1}"}),
            _call(index=1, id="2", function={"name": "b", "arguments": '{"y"'}),
            _call(index=1, id="2", function={"name": "b", "arguments": ":2}"}),
        ],
        [  # the name in every piece, without ids
            _call(function={"name": "a", "arguments": ""}),
            _call(function={"name": "a", "arguments": '{"x"'}),
            _call(function={"name": "a", "arguments": ":1}"}),
            _call(function={"name": "b", "arguments": '{"y":2}'}),
            _call(function={"name": "b", "arguments": ""}),
        ],
        [  # another id in every piece
            _call(index=0, id="1", function={"name": "a", "arguments": '{"x"'}),
            _call(index=0, id="2", function={"name": None, "arguments": ":1}"}),
            _call(index=1, id="3", function={"name": "b", "arguments": '{"y":2}'}),
            _call(index=1, id="4", function={"arguments": ""}),
        ],
        [  # the whole call again
            _call(index=0, id="1", function=CALL_A),
            _call(index=0, id="1", function=CALL_A),
            _call(index=1, id="2", function=CALL_B),
        ],
        [
            _call(index=0, id="1", function={"name": "a", "arguments": {"x": 1}}),
            _call(index=0, id="2", function={"name": "b", "arguments": {"y": 2}}),
        ],
        [  # the id comes late
            _call(index=0, function={"name": "a", "arguments": '{"x"'}),
            _call(index=0, id="1", function={"arguments": ":1}"}),
            _call(index=1, function=CALL_B),
        ],
    ],
)
def test_two_tool_calls_are_joined_by_id_index_or_position(deltas: list[dict[str, Any]]) -> None:
    assert _functions(_normalize(deltas)) == [CALL_A, CALL_B]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"x": "ä"}, '{"x":"ä"}'),
        ({"x": HIGH}, '{"x":"\ufffd"}'),
        ({}, "{}"),
        ([1, 2], "[1,2]"),
        (3, "3"),
        ("{}", "{}"),
        ("", ""),
        (None, ""),
    ],
)
def test_arguments_become_text(arguments: Any, text: str) -> None:
    function = {"name": "a", "arguments": arguments}
    [called] = _functions(_normalize([_call(index=0, id="1", function=function)]))
    assert called == {"name": "a", "arguments": text}
    message = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    whole = normalize_response({"choices": [{"message": message, "finish_reason": "stop"}]})
    [call] = whole["choices"][0]["message"]["tool_calls"]
    assert call["function"] == called
    assert call["type"] == "function"
    assert call["id"].startswith("call_")


def test_a_call_without_arguments_has_empty_ones() -> None:
    assert _functions(_normalize([_call(id="1", function={"name": "now"})])) == [
        {"name": "now", "arguments": ""}
    ]


@pytest.mark.parametrize("pieces", [["get_", "weather"], ["get_", "get_weather"]])
def test_a_name_in_pieces_is_joined(pieces: list[str]) -> None:
    deltas = [_call(index=0, id="1", function={"name": piece}) for piece in pieces]
    deltas.append(_call(index=0, id="1", function={"arguments": "{}"}))
    assert _functions(_normalize(deltas)) == [{"name": "get_weather", "arguments": "{}"}]


def test_the_first_piece_has_id_and_type_and_no_other_does() -> None:
    deltas = [
        _call(index=0, id="1", function={"name": "a", "arguments": '{"x"'}),
        _call(index=0, id="1", type="function", function={"name": "a", "arguments": ":1}"}),
    ]
    first, second, _ = _normalize(deltas)
    assert first["delta"]["tool_calls"] == [
        {"index": 0, "id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x"'}}
    ]
    assert second["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": ":1}"}}]


def test_fields_that_only_one_server_knows_are_kept() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "s"}}}
    [choice, _] = _normalize([_call(index=0, id="1", function=CALL_A, **extra)])
    assert choice["delta"]["tool_calls"][0]["extra_content"] == extra["extra_content"]
    custom = {"id": "1", "type": "custom", "custom": {"name": "a", "input": "x"}}
    [choice, _] = _normalize([_call(index=0, **custom)])
    assert choice["delta"]["tool_calls"] == [{"index": 0} | custom]


def test_what_is_not_a_tool_call_is_left_out() -> None:
    [choice, _] = _normalize([{"tool_calls": ["a", None, {"function": CALL_A}]}])
    [call] = choice["delta"]["tool_calls"]
    assert (call["index"], call["function"]) == (0, CALL_A)


def test_calls_of_several_choices_are_counted_apart() -> None:
    normalizer = EventNormalizer()
    for index in (0, 1):
        event = _event(_call(index=0, id=str(index), function=CALL_A), index=index)
        [call] = normalizer.normalize(event)["choices"][0]["delta"]["tool_calls"]
        assert (call["index"], call["id"]) == (0, str(index))


def test_calls_of_a_whole_response_have_distinct_ids() -> None:
    calls = [{"id": "1", "function": CALL_A}, {"id": "1", "function": CALL_B}, {"function": CALL_B}]
    response = {"choices": [{"message": {"tool_calls": calls}, "finish_reason": "stop"}]}
    [choice] = normalize_response(response)["choices"]
    normalized = choice["message"]["tool_calls"]
    assert [call["function"] for call in normalized] == [CALL_A, CALL_B, CALL_B]
    assert normalized[0]["id"] == "1"
    assert len({call["id"] for call in normalized}) == 3
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("message", "reason", "expected"),
    [
        (_call(function=CALL_A), "stop", "tool_calls"),
        (_call(function=CALL_A), "STOP", "tool_calls"),
        (_call(function=CALL_A), "tool_use", "tool_calls"),
        (_call(function=CALL_A), "tool_calls", "tool_calls"),
        (_call(function=CALL_A), "length", "length"),
        (_call(function=CALL_A), None, None),
        ({"content": "Hi"}, "tool_calls", "stop"),
        ({"content": "Hi", "tool_calls": []}, "tool_calls", "stop"),
        ({"content": "Hi", "tool_calls": None}, "stop", "stop"),
        ({"function_call": CALL_A}, "tool_calls", "tool_calls"),
        ({"function_call": CALL_A}, "function_call", "function_call"),
    ],
)
def test_finish_reason_is_tool_calls_only_if_there_are_some(
    message: dict[str, Any], reason: str | None, expected: str | None
) -> None:
    normalizer = EventNormalizer()
    normalizer.normalize(_event(json.loads(json.dumps(message))))
    [choice] = normalizer.normalize(_event({}, reason))["choices"]
    assert choice["finish_reason"] == expected
    response = {"choices": [{"message": message, "finish_reason": reason}]}
    assert normalize_response(response)["choices"][0]["finish_reason"] == expected


TEXT_FIELDS = ["content", "reasoning_content", "reasoning", "thinking", "refusal"]
CUTS = [
    ([f"Hi {HIGH}", f"{LOW}!"], "Hi 😀!"),
    (["Hi ", HIGH, f"{LOW}!", " bye"], "Hi 😀! bye"),
    (["Hi ", HIGH, "", "", LOW, "!"], "Hi 😀!"),
    ([HIGH, LOW], "😀"),
    ([f"{HIGH}{LOW}{HIGH}", f"{LOW}"], "😀😀"),
    ([HIGH, HIGH, LOW], "\ufffd😀"),
    ([HIGH, "a"], "\ufffda"),
    ([LOW, "a"], "\ufffda"),
    (["a", HIGH], "a\ufffd"),
    ([f"a{HIGH}b"], "a\ufffdb"),
    (["😀"], "😀"),
]


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize(("texts", "joined"), CUTS)
def test_halves_in_two_chunks_are_joined(
    texts: list[str], joined: str, field: str, *, ends: bool
) -> None:
    other = "content" if field != "content" else "reasoning"
    choices = _normalize([{field: text, other: None} for text in texts], ends=ends)
    assert "".join(choice["delta"].get(field) or "" for choice in choices) == joined


@pytest.mark.parametrize(("texts", "joined"), CUTS)
def test_halves_in_arguments_are_joined(texts: list[str], joined: str) -> None:
    deltas = [_call(index=0, id="1", function={"name": "a", "arguments": ""})]
    deltas += [_call(index=0, function={"arguments": text}) for text in texts]
    assert _functions(_normalize(deltas)) == [{"name": "a", "arguments": joined}]


@pytest.mark.parametrize(("texts", "joined"), CUTS)
def test_halves_in_parts_of_content_are_joined(texts: list[str], joined: str) -> None:
    deltas: list[dict[str, Any]] = []
    for text in texts:
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        deltas.append({"content": [thinking, {"type": "text", "text": text}]})
    parts = [part for choice in _normalize(deltas) for part in choice["delta"].get("content", ())]
    assert "".join(part["text"] for part in parts if part["type"] == "text") == joined
    thoughts = [part["thinking"] for part in parts if part["type"] == "thinking"]
    assert "".join(part["text"] for thought in thoughts for part in thought) == joined


def test_a_half_at_the_end_of_the_last_chunk_follows_its_text() -> None:
    [choice] = EventNormalizer().normalize(_event({"content": f"Hi {HIGH}"}, "stop"))["choices"]
    assert choice["delta"]["content"] == "Hi \ufffd"


def test_halves_of_other_choices_and_fields_stay_apart() -> None:
    normalizer = EventNormalizer()
    sent: dict[tuple[int, str], str] = {}
    for index, field, text in [
        (0, "content", HIGH),
        (1, "content", HIGH),
        (0, "reasoning", HIGH),
        (1, "content", "b"),
        (0, "reasoning", f"{LOW}r"),
        (0, "content", f"{LOW}a"),
    ]:
        [choice] = normalizer.normalize(_event({field: text}, index=index))["choices"]
        sent[index, field] = sent.get((index, field), "") + choice["delta"][field]
    assert sent == {(0, "content"): "😀a", (1, "content"): "\ufffdb", (0, "reasoning"): "😀r"}
    assert normalizer.flush() is None


def test_halves_elsewhere_are_replaced() -> None:
    event = _event({"role": "assistant", "content": "a", HIGH: [LOW]})
    event["choices"][0]["logprobs"] = {"content": [{"token": HIGH, "logprob": -1.0}]}
    event = EventNormalizer().normalize(event)
    assert event["choices"][0]["logprobs"] == {"content": [{"token": "\ufffd", "logprob": -1.0}]}
    assert event["choices"][0]["delta"]["\ufffd"] == ["\ufffd"]
    whole = {"choices": [{"message": {"content": f"Hi {HIGH}"}}], "usage": {"prompt_tokens": 1}}
    assert normalize_response(whole)["choices"][0]["message"]["content"] == "Hi \ufffd"


def test_the_chunk_with_what_was_pending_looks_like_the_others() -> None:
    normalizer = EventNormalizer()
    normalizer.normalize(_event({"content": HIGH}))
    choice = {"index": 0, "delta": {"content": "\ufffd"}, "finish_reason": None}
    assert normalizer.flush() == {"id": "x", "model": "m", "choices": [choice]}
    assert normalizer.flush() is None


@pytest.mark.parametrize(
    ("lines", "is_needed"),
    [
        ('data: {"choices":[{"delta":{"content":"Hi ä \\ud83d\\ude00"}}]}', False),
        ('data: {"choices":[{"delta":{"content":"Hi","tool_calls":null}}]}', False),
        ('data: {"choices":[{"delta":{"content":"Hi","tool_calls": [ ]}}]}', False),
        ('data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', True),
        ('data: {"choices":[{"delta":{"tool_calls":{"index":0}}}]}', True),
        ('data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}', True),
        ('data: {"choices":[{"delta":{"content":"\\ud83d"}}]}', True),
        ('data: {"choices":[{"delta":{"content":"\\uDE00"}}]}', True),
    ],
)
def test_only_tool_calls_and_halves_need_it(lines: str, is_needed: bool) -> None:
    assert EventNormalizer.needs(lines.encode()) is is_needed


@pytest.mark.parametrize(
    "event",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [None, 1, {}]},
        {"choices": [{"delta": None, "finish_reason": 1}]},
        {"choices": [{"index": "0", "delta": {"tool_calls": 3, "content": 1}}]},
        {"choices": [{"delta": {"tool_calls": [{}]}}]},
        {"choices": [{"message": {"content": HIGH, "tool_calls": "x"}}]},
    ],
)
def test_odd_events_are_passed_on(event: dict[str, Any]) -> None:
    normalizer = EventNormalizer()
    normalizer.normalize(_event({"content": HIGH}))
    to_json(normalizer.normalize(json.loads(json.dumps(event))))
    to_json(normalize_response(event))
