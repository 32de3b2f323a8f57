"""Items of a thread: an answer and its steps are one, with versions of their own."""

from api.conversation import Conversation
from chat.thread_items import thread_items, version_items, versions
from tests.support.messages import NOW, message

CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
CALLING = {"role": "assistant", "tool_calls": [CALL], "state": "finished"}
MESSAGES = [
    message("q", None),
    message("a1", "q", **CALLING),
    message("t1", "a1", role="tool", tool_call_id="c"),
    message("b1", "t1", role="assistant"),
    message("a2", "q", role="assistant"),
    message("b2", "t1", role="assistant"),
    message("q2", "b2"),
]


def tree(current: str) -> Conversation:
    return Conversation(id="c", title="", updated_at=NOW, current=current, messages=MESSAGES)


def ids(current: str) -> list[list[str]]:
    items = thread_items(tree(current).active_branch())
    return [[message.id for message in item.messages] for item in items]


def test_answer_and_its_steps_are_one_item() -> None:
    assert ids("q2") == [["q"], ["a1", "t1", "b2"], ["q2"]]
    assert ids("a2") == [["q"], ["a2"]]
    assert ids("t1") == [["q"], ["a1", "t1"]]


def test_result_without_a_call_is_an_item() -> None:
    branch = [message("a", None, role="assistant"), message("t", "a", role="tool")]
    assert len(thread_items(branch)) == 2


def test_versions_differ_in_their_start_or_after_a_step() -> None:
    conversation = tree("b1")
    item = thread_items(conversation.active_branch())[-1]
    assert [leaf.id for leaf in versions(conversation, item)] == ["b1", "b2", "a2"]
    assert [each.answer.id for each in version_items(conversation, item)] == ["b1", "b2", "a2"]
    assert {conversation.parent_question(leaf) for leaf in versions(conversation, item)} == {"q"}


def test_result_of_another_program_is_a_finished_step() -> None:
    [_, item] = thread_items(tree("t1").active_branch())
    [step] = item.last_steps
    assert (step.tool, step.arguments, step.result) == ("add", {"a": 1}, "t1")
    assert (step.state, step.strategy) == ("finished", None)


def test_result_within_an_imported_call_is_a_step() -> None:
    calls = [{"function": CALL["function"], "result": "2"}, CALL]
    answer = message("a", None, role="assistant", tool_calls=calls)
    [item] = thread_items([answer])
    assert [step.result for step in item.last_steps] == ["2"]
    assert [call.id for call in item.rounds[0].open_calls] == ["c"]


def test_step_whose_process_has_ended_is_interrupted() -> None:
    step = {"id": "c", "tool": "add", "arguments": {}, "state": "running"}
    for state, shown in (("interrupted", "interrupted"), ("writing", "running")):
        result = message("t", "a1", role="tool", tool_call_id="c", step=step, state=state)
        [item] = thread_items([MESSAGES[1], result])
        assert item.last_steps[0].state == shown
