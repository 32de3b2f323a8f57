"""Several answers at once, what becomes of them when one fails, and how long all may take."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI

from backend.errors import ContextLengthExceededError, ModelServerError
from backend.json_schema.worker import WorkerPool
from backend.settings import Settings
from backend.structured.batch import StructuredBatch
from backend.structured.protocol import StructuredRequest
from backend.structured.target_schema import TargetSchema
from tests.support.api_server import running_api
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk, replay, stream_of
from tests.support.requests import MODEL_ID
from tests.support.structured_requests import ANN, PROBED, asked, post, said
from tests.support.waiting import wait_until

WRONG = '{"name": "Ann", "age": -1}'


def tuned(model_server: FakeModelServer, **changes: Any) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, **changes)


@pytest.fixture
def narrow_served(model_server: FakeModelServer) -> Iterator[str]:
    """An API that asks one thing at a time, and lets two more wait."""
    with running_api(tuned(model_server, max_concurrent=1, max_waiting=2)) as url:
        yield url


# What fails


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (replay("err-overflow"), "context_length_exceeded"),
        (replay("runner-killed-before-first-byte"), "model_server_failed"),
        (
            Reply(headers=EVENTS, pieces=[chunk({"content": '{"name": "B'})], end="cut"),
            "model_server_failed",
        ),
    ],
    ids=["overflow", "nothing", "cut"],
)
def test_what_was_written_before_the_model_server_failed_is_kept(
    failure: Reply, code: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said(WRONG), failure]
    _, reply = post(api_url, asked())
    assert reply["error"]["code"] == code
    assert reply["error"]["text"] in (WRONG, '{"name": "B')
    [attempt] = reply["error"]["attempts"]
    assert attempt["errors"][0]["pointer"] == "/age"


def test_an_error_before_anything_was_written_has_nothing_to_keep(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, replay("err-overflow")]
    _, reply = post(api_url, asked())
    assert not {"text", "attempts", "answers"} & reply["error"].keys()


def test_an_answer_that_fails_takes_those_along_that_fit(
    narrow_served: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, said(ANN), *[said(WRONG)] * 3]
    status, reply = post(narrow_served, asked(n=2))
    assert (status, reply["error"]["code"]) == (502, "validation_failed")
    assert reply["error"]["text"] == WRONG
    assert [answer["parsed"]["name"] for answer in reply["error"]["answers"]] == ["Ann"]


def test_a_failure_says_what_was_sent_and_what_was_left_to_the_judge(
    api_url: str, model_server: FakeModelServer
) -> None:
    schema = {"type": "string", "pattern": "^(?=a)b"}
    model_server.replies += [PROBED, *[said('"b"')] * 3]
    _, reply = post(api_url, asked(schema))
    sent = model_server.chats[-1].body
    told = reply["error"]["sent"]
    assert told["schema"] == sent["response_format"]["json_schema"]["schema"]
    assert told["instruction"] in sent["messages"][0]["content"]
    assert reply["error"]["unenforced"] == [{"pointer": "", "keyword": "pattern"}]


def test_details_are_not_added_to_an_error_that_others_may_be_told() -> None:
    shared = ContextLengthExceededError("Too long.", param="messages", n_ctx=9)
    told = shared.copy_with(text="mine")
    assert type(told) is ContextLengthExceededError
    assert (str(told), told.param, told.details) == (
        "Too long.", "messages", {"n_ctx": 9, "text": "mine"},
    )  # fmt: skip
    assert shared.details == {"n_ctx": 9}
    assert ModelServerError("x").copy_with().payload() == ModelServerError("x").payload()


# Several answers


def test_a_request_does_not_send_itself_away(
    narrow_served: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [PROBED, *[said(ANN)] * 5]
    status, reply = post(narrow_served, asked(n=5))
    assert (status, len(reply["answers"])) == (200, 5)


def test_answers_are_drawn_at_once_where_there_is_room(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    reply = stream_of([ANN], held=held)
    model_server.replies += [PROBED, *[reply] * 6]
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(post, api_url, asked(n=6))
        wait_until(lambda: len(model_server.chats) == 1 + 4)
        held.set()
        status, found = asking.result()
    assert (status, len(found["answers"])) == (200, 6)


def test_answers_make_room_for_another_request(model_server: FakeModelServer) -> None:
    model_server.replies += [PROBED, *[stream_of([ANN], first_seconds=0.1)] * 12]
    with (
        running_api(tuned(model_server, max_concurrent=2, max_waiting=2)) as url,
        ThreadPoolExecutor() as pool,
    ):
        many = pool.submit(post, url, asked(n=10))
        wait_until(lambda: len(model_server.chats) > 3)
        assert post(url, asked())[0] == 200
        assert len(model_server.chats) < 1 + 10
        assert many.result()[0] == 200


def test_what_was_left_to_the_judge_is_told_of_all_answers(
    narrow_served: str, model_server: FakeModelServer
) -> None:
    schema = {"type": "number", "minimum": 0}  # carried from the second level on
    model_server.replies += [PROBED, said("5"), said("-1"), said("5")]
    _, reply = post(narrow_served, asked(schema, n=2))
    assert [len(answer["attempts"]) for answer in reply["answers"]] == [1, 2]
    assert reply["unenforced"] == [{"pointer": "", "keyword": "minimum"}]


class CountingWorker(WorkerPool):
    calls = 0

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return await super().run(*args, **kwargs)


@pytest.mark.anyio
async def test_a_schema_is_narrowed_once_for_all_answers() -> None:
    worker = CountingWorker()
    form = TargetSchema(StructuredRequest(**asked()), worker, characters=200)
    found = await asyncio.gather(*(form.prepare(level) for level in (0, 0, 1, 0, 1)))
    await worker.close()
    assert worker.calls == 2
    assert found[0] is found[1]


# Time


def test_the_deadline_is_over_the_first_question_too(model_server: FakeModelServer) -> None:
    model_server.replies += [Reply(end="hang")]
    with running_api(tuned(model_server, structured_seconds=0.5)) as url:
        status, reply = post(url, asked())
    assert (status, reply["error"]["code"]) == (504, "model_server_timeout")
    assert model_server.chats[0].left.wait(5)


def test_the_deadline_is_over_all_answers(model_server: FakeModelServer) -> None:
    model_server.replies += [PROBED, *[stream_of([ANN], first_seconds=0.3)] * 8]
    settings = tuned(model_server, structured_seconds=0.8, max_concurrent=1)
    with running_api(settings) as url:
        status, reply = post(url, asked(n=8))
    assert (status, reply["error"]["code"]) == (504, "model_server_timeout")
    assert 1 <= len(reply["error"]["answers"]) <= 2


class Counted(list[bytes]):
    """Pieces that tell how many were taken."""

    taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in super().__iter__():
            self.taken += 1
            yield piece


@pytest.mark.anyio
async def test_a_reader_who_pauses_holds_the_drawing(
    app: FastAPI, model_server: FakeModelServer
) -> None:
    # So long that the sockets between do not hold them all.
    told = chunk({}, prompt_progress={"processed": 1, "total": 2}, more="x" * 100_000)
    pieces = Counted([told] * 300)
    model_server.replies += [PROBED, Reply(headers=EVENTS, pieces=pieces)]
    request = StructuredRequest(**asked(stream=True, smolchat={"progress": True}))
    answers = StructuredBatch(request, app.state.core).stream()
    await anext(answers)
    await asyncio.sleep(0.5)
    assert 1 < pieces.taken < 250
    await answers.aclose()
