"""An answer as a job: against the real API on a socket, with a scripted model behind it."""

import time
from collections.abc import AsyncGenerator

from api.chat_chunk import Chunk
from api.client import ApiClient
from api.errors import ApiError
from chat.stream_job import AnswerJob
from settings import Settings
from tests.support.fake_model_server import EVENTS, ModelServer, Reply, spoken
from tests.support.fake_model_server import chunk as event

HELLO = {
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "smolchat": {"receipt": True, "progress": True},
}
BEGUN = [event({"role": "assistant", "content": None}), event({"content": "Once upon"})]


def job_at(url: str, forsaken_seconds: float = 20) -> AnswerJob:
    client = ApiClient(Settings(api_base_url=url))
    return AnswerJob(lambda: client.chat(HELLO), forsaken_seconds=forsaken_seconds)


def wait_for_request(model_server: ModelServer) -> None:
    deadline = time.monotonic() + 5
    while not model_server.chats and time.monotonic() < deadline:
        time.sleep(0.01)


def wait_for_text(job: AnswerJob) -> None:
    deadline = time.monotonic() + 5
    while not job.answer.text and time.monotonic() < deadline:
        job.look(0.01)


def test_a_whole_answer_brings_its_text_and_the_servers_numbers(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(spoken(["Hi", " there"], gap_seconds=0.05))
    job = job_at(served)
    assert job.look(5)
    answer = job.answer
    assert (answer.state, answer.text) == ("finished", "Hi there")
    assert answer.receipt
    assert (answer.receipt.finish_reason, answer.receipt.completion_tokens) == ("stop", 2)
    assert answer.receipt.completion_tokens_per_second == 50.0
    assert answer.receipt.model == "ai/smollm2:latest"
    assert answer.progress.phase == "writing"


def test_an_answer_that_goes_on_begins_with_what_there_was(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(spoken([" a time"]))
    client = ApiClient(Settings(api_base_url=served))
    job = AnswerJob(lambda: client.chat(HELLO), forsaken_seconds=20, begun="Once upon")
    assert job.answer.text == "Once upon"
    assert job.look(5)
    assert job.answer.text == "Once upon a time"


def test_stop_before_the_first_word_reaches_the_model_server(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(Reply(first_seconds=60))
    job = job_at(served)
    wait_for_request(model_server)
    job.stop()
    assert model_server.chats[0].left.wait(10)
    assert job.look(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "")


def test_stop_in_the_middle_keeps_what_was_written(served: str, model_server: ModelServer) -> None:
    model_server.replies.append(Reply(headers=EVENTS, pieces=BEGUN, end="hang"))
    job = job_at(served)
    wait_for_text(job)
    job.stop()
    assert model_server.chats[0].left.wait(10)
    assert job.look(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "Once upon")
    assert job.answer.receipt is None


def test_stop_right_at_the_start_stops(served: str) -> None:
    job = job_at(served)
    job.stop()
    assert job.answer.is_over


def test_stop_after_the_end_changes_nothing(served: str) -> None:
    job = job_at(served)
    job.look(5)
    job.stop()
    assert job.answer.state == "finished"


def test_a_job_that_nobody_looks_at_stops_itself(served: str, model_server: ModelServer) -> None:
    model_server.replies.append(Reply(headers=EVENTS, pieces=BEGUN, end="hang"))
    job = job_at(served, forsaken_seconds=0.3)
    for _ in range(6):
        assert not job.look(0.1)
    assert model_server.chats[0].left.wait(10)
    assert job.look(10)
    assert (job.answer.state, job.answer.text) == ("stopped", "Once upon")


def test_a_failure_keeps_what_was_written_and_says_why(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, pieces=BEGUN, end="cut"))
    job = job_at(served)
    assert job.look(5)
    assert (job.answer.state, job.answer.text) == ("failed", "Once upon")
    assert job.answer.error
    assert job.answer.error.code == "model_server_failed"


def test_reasoning_is_kept_apart(served: str, model_server: ModelServer) -> None:
    pieces = [event({"reasoning_content": "Hm"}), event({"content": "Yes"}), event({}, "stop")]
    model_server.replies.append(Reply(headers=EVENTS, pieces=[*pieces, b"data: [DONE]\n\n"]))
    job = job_at(served)
    assert job.look(5)
    assert (job.answer.reasoning, job.answer.text) == ("Hm", "Yes")


def test_a_mistake_of_ours_fails_the_answer_instead_of_leaving_it_open() -> None:
    async def broken() -> AsyncGenerator[Chunk]:
        yield Chunk()
        raise RuntimeError

    job = AnswerJob(broken, forsaken_seconds=20)
    assert job.look(5)
    assert job.answer.state == "failed"
    assert isinstance(job.answer.error, ApiError)
