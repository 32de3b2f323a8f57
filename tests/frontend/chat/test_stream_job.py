"""The answer job against the real API on a socket, with a scripted model server behind it."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from api.chat_chunk import Chunk
from api.client import ApiClient
from api.errors import ApiError
from chat.stream_job import AnswerStreamJob, StreamedAnswer
from settings import Settings
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.fake_model_server import chunk as event
from tests.support.requests import STREAMED
from tests.support.waiting import wait_until

BODY = STREAMED | {"smolchat": {"receipt": True, "progress": True}}
UNFINISHED = [event({"role": "assistant", "content": None}), event({"content": "Once upon"})]


def job_at(url: str, abandoned_seconds: float = 20) -> AnswerStreamJob:
    client = ApiClient(Settings(api_base_url=url))
    return AnswerStreamJob(lambda: client.stream_chat(BODY), abandoned_seconds=abandoned_seconds)


def wait_for_request(model_server: FakeModelServer) -> None:
    wait_until(lambda: bool(model_server.chat_requests), pause_seconds=0.01)


def wait_for_text(job: AnswerStreamJob) -> None:
    wait_until(lambda: job.wait(0.01) or bool(job.answer.text), pause_seconds=0)


def test_complete_answer_has_its_text_and_receipt(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["Hi", " there"], interval_seconds=0.05))
    job = job_at(api_url)
    assert job.wait(5)
    answer = job.answer
    assert (answer.state, answer.text) == ("finished", "Hi there")
    assert answer.receipt
    assert (answer.receipt.finish_reason, answer.receipt.completion_tokens) == ("stop", 2)
    assert answer.receipt.completion_tokens_per_second == 50.0
    assert answer.receipt.model == "ai/smollm2:latest"
    assert answer.progress.phase == "writing"


def test_parts_of_tool_calls_are_joined_by_their_index() -> None:
    answer = StreamedAnswer()
    for index, name, arguments in (
        (0, "add", None),
        (1, "mul", "{"),
        (0, None, '{"x":'),
        (1, None, "}"),
        (0, None, "1}"),
    ):
        call = {"index": index, "function": {"name": name, "arguments": arguments}}
        answer.add_chunk(Chunk.model_validate({"choices": [{"delta": {"tool_calls": [call]}}]}))
    functions = [call.function for call in answer.tool_calls]
    assert [(f.name, f.arguments) for f in functions if f] == [("add", '{"x":1}'), ("mul", "{}")]
    assert answer.has_begun


def test_malformed_tool_calls_are_left_out() -> None:
    answer = StreamedAnswer()
    malformed: list[Any] = ["no", [1], [{"index": -1, "function": 3}], [{}]]
    for calls in malformed:
        answer.add_chunk(Chunk.model_validate({"choices": [{"delta": {"tool_calls": calls}}]}))
    assert all(call.function for call in answer.tool_calls)


@pytest.mark.parametrize("prefix", ["", "Once"])
def test_text_so_far_becomes_reasoning(prefix: str) -> None:
    answer = StreamedAnswer(prefix=prefix)
    for content in ("hm", " so"):
        answer.add_chunk(Chunk.model_validate({"choices": [{"delta": {"content": content}}]}))
    moved = {"reasoning_so_far": {"index": 0, "text": "hm so"}}
    answer.add_chunk(Chunk.model_validate({"choices": [], "smolchat": moved}))
    answer.add_chunk(Chunk.model_validate({"choices": [{"delta": {"content": "Yes"}}]}))
    assert (answer.reasoning, answer.text) == ("hm so", prefix + "Yes")


def test_steps_divide_an_answer_into_rounds() -> None:
    answer = StreamedAnswer()
    step = {"id": "c", "tool": "add", "arguments": {}, "state": "running"}
    for chunk in (
        {"choices": [{"delta": {"content": "Let me see."}}]},
        {"smolchat": {"step": step}},
        {"smolchat": {"step": step | {"state": "finished", "result": "3"}}},
        {"smolchat": {"step": {"id": "d", "state": "no such state"}}},
        {"choices": [{"delta": {"content": "It is 3."}}]},
    ):
        answer.add_chunk(Chunk.model_validate(chunk))
    assert [each.text for each in answer.rounds] == ["Let me see.", "It is 3."]
    assert [[step.result for step in each.steps] for each in answer.rounds] == [["3"], []]


def test_continued_answer_starts_with_its_prefix(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply([" a time"]))
    client = ApiClient(Settings(api_base_url=api_url))
    job = AnswerStreamJob(
        lambda: client.stream_chat(BODY), abandoned_seconds=20, prefix="Once upon"
    )
    assert job.answer.text == "Once upon"
    assert job.wait(5)
    assert job.answer.text == "Once upon a time"


def test_stop_before_the_first_token_cancels_the_upstream_request(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(delay_seconds=60))
    job = job_at(api_url)
    wait_for_request(model_server)
    job.stop()
    assert model_server.chat_requests[0].disconnected.wait(10)
    assert job.wait(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "")


def test_stop_mid_answer_keeps_the_partial_text(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, chunks=UNFINISHED, end="hang"))
    job = job_at(api_url)
    wait_for_text(job)
    job.stop()
    assert model_server.chat_requests[0].disconnected.wait(10)
    assert job.wait(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "Once upon")
    assert job.answer.receipt is None


def test_stop_immediately_after_start_ends_the_job(api_url: str) -> None:
    job = job_at(api_url)
    job.stop()
    assert job.answer.is_over


def test_stop_after_the_end_keeps_the_finished_state(api_url: str) -> None:
    job = job_at(api_url)
    job.wait(5)
    job.stop()
    assert job.answer.state == "finished"


def test_abandoned_job_stops_itself(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies.append(Reply(headers=EVENTS, chunks=UNFINISHED, end="hang"))
    job = job_at(api_url, abandoned_seconds=0.3)
    for _ in range(6):
        assert not job.wait(0.1)
    assert model_server.chat_requests[0].disconnected.wait(10)
    assert job.wait(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "Once upon")


def test_failed_answer_keeps_the_partial_text_and_the_error(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, chunks=UNFINISHED, end="cut"))
    job = job_at(api_url)
    assert job.wait(5)
    assert (job.answer.state, job.answer.text) == ("failed", "Once upon")
    assert job.answer.error
    assert job.answer.error.code == "model_server_failed"


def test_reasoning_is_separate_from_the_text(api_url: str, model_server: FakeModelServer) -> None:
    events = [event({"reasoning_content": "Hm"}), event({"content": "Yes"}), event({}, "stop")]
    model_server.replies.append(Reply(headers=EVENTS, chunks=[*events, b"data: [DONE]\n\n"]))
    job = job_at(api_url)
    assert job.wait(5)
    assert (job.answer.reasoning, job.answer.text) == ("Hm", "Yes")


def test_unexpected_exception_fails_the_answer() -> None:
    async def broken_stream() -> AsyncGenerator[Chunk]:
        yield Chunk()
        raise RuntimeError

    job = AnswerStreamJob(broken_stream, abandoned_seconds=20)
    assert job.wait(5)
    assert job.answer.state == "failed"
    assert isinstance(job.answer.error, ApiError)
