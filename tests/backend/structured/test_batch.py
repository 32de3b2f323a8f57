"""A batch of structured answers: failures, parallel generation, and the deadline."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI

from backend.errors import ContextLengthExceededError, ModelServerError
from backend.json_schema.worker import WorkerPool
from backend.structured.batch import StructuredBatch
from backend.structured.protocol import StructuredRequest
from backend.structured.target_schema import TargetSchema
from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.structured_requests import (
    ANN,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)
from tests.support.waiting import wait_until

INVALID = '{"name": "Ann", "age": -1}'
CUT = Reply(headers=EVENTS, chunks=[chunk({"content": '{"name": "B'})], end="cut")
TRUNCATED = Reply(
    headers=EVENTS,
    chunks=[chunk({"content": '{"name"'}), chunk({}, "length"), b"data: [DONE]\n\n"],
)


# Failures


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (replay("err-overflow"), "context_length_exceeded"),
        (replay("runner-killed-before-first-byte"), "model_server_failed"),
        (CUT, "model_server_failed"),
    ],
    ids=["context length", "crash", "connection lost"],
)
def test_upstream_failure_keeps_the_text_and_the_attempts(
    failure: Reply, code: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(INVALID), failure]
    _, response = post(api_url, structured_request())
    assert response["error"]["code"] == code
    assert response["error"]["text"] in (INVALID, '{"name": "B')
    [attempt] = response["error"]["attempts"]
    assert attempt["errors"][0]["pointer"] == "/age"


def test_failure_before_any_output_has_no_details(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, replay("err-overflow")]
    _, response = post(api_url, structured_request())
    assert not {"text", "attempts", "answers"} & response["error"].keys()


def test_failed_batch_returns_its_valid_answers(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(ANN), *[stream_text(INVALID)] * 3]
    status, response = post(narrow_api_url, structured_request(n=2))
    assert (status, response["error"]["code"]) == (502, "validation_failed")
    assert response["error"]["text"] == INVALID
    assert [answer["parsed"]["name"] for answer in response["error"]["answers"]] == ["Ann"]


def test_each_answer_that_fails_has_its_own_reason(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    invalid = [stream_text(INVALID)] * 3
    model_server.replies += [PROBE_PASSED, *invalid, CUT, stream_text(ANN), *[TRUNCATED] * 3]
    status, response = post(narrow_api_url, structured_request(n=4))
    error = response["error"]
    assert (status, error["code"], error["text"]) == (502, "validation_failed", INVALID)
    assert [(each["answer"], each["code"]) for each in error["failures"]] == [
        (0, "validation_failed"), (1, "model_server_failed"), (3, "output_truncated"),
    ]  # fmt: skip
    assert [each["text"] for each in error["failures"]] == [INVALID, '{"name": "B', '{"name"']
    assert len({each["message"] for each in error["failures"]}) == 3
    [answer] = error["answers"]
    assert (answer["answer"], answer["parsed"]["name"]) == (2, "Ann")


def test_failure_that_all_answers_would_have_is_not_repeated(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, stream_text(ANN), replay("err-overflow")]
    status, response = post(narrow_api_url, structured_request(n=4))
    assert (status, len(model_server.chat_requests)) == (400, 3)
    [answer] = response["error"]["answers"]
    assert (answer["answer"], answer["parsed"]["name"]) == (0, "Ann")
    failures = response["error"]["failures"]
    assert [each["answer"] for each in failures] == [1, 2, 3]
    assert {each["code"] for each in failures} == {"context_length_exceeded"}


def test_failure_has_the_prompt_sent_and_the_unenforced_keywords(
    api_url: str, model_server: FakeModelServer
) -> None:
    schema = {"type": "string", "pattern": "^(?=a)b"}
    model_server.replies += [PROBE_PASSED, *[stream_text('"b"')] * 3]
    _, response = post(api_url, structured_request(schema))
    upstream = model_server.chat_requests[-1].body
    sent = response["error"]["sent"]
    assert sent["schema"] == upstream["response_format"]["json_schema"]["schema"]
    assert sent["instruction"] in upstream["messages"][0]["content"]
    assert response["error"]["unenforced"] == [{"pointer": "", "keyword": "pattern"}]


def test_copied_error_has_more_details_than_the_original() -> None:
    original = ContextLengthExceededError("Too long.", param="messages", n_ctx=9)
    copy = original.copy_with(text="mine")
    assert type(copy) is ContextLengthExceededError
    assert (str(copy), copy.param) == ("Too long.", "messages")
    assert copy.details == {"n_ctx": 9, "text": "mine"}
    assert original.details == {"n_ctx": 9}
    assert ModelServerError("x").copy_with().payload() == ModelServerError("x").payload()


# Several answers


def test_batch_larger_than_the_queue_succeeds(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_text(ANN)] * 5]
    status, response = post(narrow_api_url, structured_request(n=5))
    assert (status, len(response["answers"])) == (200, 5)


def test_answers_are_generated_in_parallel_if_the_queue_has_room(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    reply = stream_reply([ANN], release=held)
    model_server.replies += [PROBE_PASSED, *[reply] * 6]
    with ThreadPoolExecutor() as pool:
        pending = pool.submit(post, api_url, structured_request(n=6))
        wait_until(lambda: len(model_server.chat_requests) == 1 + 4)
        held.set()
        status, response = pending.result()
    assert (status, len(response["answers"])) == (200, 6)


def test_batch_lets_another_request_run_between_its_answers(model_server: FakeModelServer) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_reply([ANN], delay_seconds=0.1)] * 12]
    with (
        running_api(settings_for(model_server, max_concurrent=2, max_waiting=2)) as url,
        ThreadPoolExecutor() as pool,
    ):
        batch = pool.submit(post, url, structured_request(n=10))
        wait_until(lambda: len(model_server.chat_requests) > 3)
        assert post(url, structured_request())[0] == 200
        assert len(model_server.chat_requests) < 1 + 10
        assert batch.result()[0] == 200


def test_response_has_the_unenforced_keywords_of_all_attempts(
    narrow_api_url: str, model_server: FakeModelServer
) -> None:
    schema = {"type": "number", "minimum": 0}  # enforced from the second level on
    model_server.replies += [PROBE_PASSED, stream_text("5"), stream_text("-1"), stream_text("5")]
    _, response = post(narrow_api_url, structured_request(schema, n=2))
    assert [len(answer["attempts"]) for answer in response["answers"]] == [1, 2]
    assert response["unenforced"] == [{"pointer": "", "keyword": "minimum"}]


class CountingWorkerPool(WorkerPool):
    calls = 0

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return await super().run(*args, **kwargs)


@pytest.mark.anyio
async def test_schema_is_narrowed_once_per_level() -> None:
    workers = CountingWorkerPool()
    target = TargetSchema(
        StructuredRequest(**structured_request()), workers, max_tokens=100, prompt=""
    )
    prepared = await asyncio.gather(*(target.prepare(level) for level in (0, 0, 1, 0, 1)))
    await workers.close()
    assert workers.calls == 2
    assert prepared[0] is prepared[1]


# Deadline and back pressure


def test_deadline_includes_the_probe(model_server: FakeModelServer) -> None:
    model_server.replies += [Reply(end="hang")] * 2
    with running_api(settings_for(model_server, structured_seconds=2)) as url:
        status, response = post(url, structured_request())
    assert (status, response["error"]["code"]) == (504, "model_server_timeout")
    assert all(request.disconnected.wait(5) for request in model_server.chat_requests)
    assert len(model_server.chat_requests) == 2


def test_deadline_includes_all_answers(model_server: FakeModelServer) -> None:
    model_server.replies += [PROBE_PASSED, *[stream_reply([ANN], delay_seconds=0.6)] * 8]
    settings = settings_for(model_server, structured_seconds=1.6, max_concurrent=1)
    with running_api(settings) as url:
        status, response = post(url, structured_request(n=8))
    assert (status, response["error"]["code"]) == (504, "model_server_timeout")
    answers, failures = response["error"]["answers"], response["error"]["failures"]
    assert 1 <= len(answers) <= 2
    assert len(failures) == 8 - len(answers)
    assert {each["code"] for each in failures} == {"model_server_timeout"}


class CountedChunks(list[bytes]):
    """A list that counts the items taken from it."""

    taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for item in super().__iter__():
            self.taken += 1
            yield item


@pytest.mark.anyio
async def test_generation_pauses_if_the_client_does_not_read(
    app: FastAPI, model_server: FakeModelServer
) -> None:
    # Too large for the buffers of the sockets in between.
    progress = chunk({}, prompt_progress={"processed": 1, "total": 2}, more="x" * 100_000)
    chunks = CountedChunks([progress] * 300)
    model_server.replies += [PROBE_PASSED, Reply(headers=EVENTS, chunks=chunks)]
    request = StructuredRequest(**structured_request(stream=True, smolchat={"progress": True}))
    answers = StructuredBatch(request, app.state.core).stream()
    await anext(answers)
    await asyncio.sleep(0.5)
    assert 1 < chunks.taken < 250
    await answers.aclose()
