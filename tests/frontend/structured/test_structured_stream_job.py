"""An answer of a form as a job: against the real API, with a scripted model behind it."""

import json
import time

from api.client import ApiClient
from settings import Settings
from structured.stream_job import StructuredStreamJob
from structured.target_schema import TargetSchema, build_request
from tests.support.fake_model_server import FakeModelServer, replay
from tests.support.structured_responses import EVENT, FILM, begun, cut_off, has_grammar, written

OWN = TargetSchema(FILM)
REGISTERED = TargetSchema({}, registered_name="event")


def job_at(url: str, form: TargetSchema = REGISTERED, **parameters: int) -> StructuredStreamJob:
    client = ApiClient(Settings(api_base_url=url))
    body = build_request(form, "A party", model=None, parameters=parameters)
    return StructuredStreamJob(lambda: client.stream_structured(body), form, forsaken_seconds=20)


def wait_for_object(job: StructuredStreamJob) -> None:
    deadline = time.monotonic() + 10
    while not job.run.written and time.monotonic() < deadline:
        job.wait(0.01)


def test_an_object_grows_and_is_valid(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [has_grammar(), written(EVENT, gap_seconds=0.05)]
    job = job_at(api_url)
    wait_for_object(job)
    assert json.loads(job.run.written).items() < EVENT.items()
    assert job.wait(10)
    assert (job.run.state, json.loads(job.run.written)) == ("finished", EVENT)
    assert job.run.reply
    assert len(job.run.reply.answer.attempts) == 1
    assert job.run.reply.answer.sent
    assert job.run.seconds


def test_an_own_schema_is_asked_for_with_the_parameters(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar(), written({"title": "Light", "year": 1999})]
    job = job_at(api_url, OWN, seed=7, max_tokens=99)
    assert job.wait(10)
    assert job.run.state == "finished"
    body = model_server.chats[1].body
    assert (body["seed"], body["max_tokens"]) == (7, 99)
    assert body["messages"][-1] == {"role": "user", "content": "A party"}


def test_what_did_not_fit_is_kept_with_its_errors(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar(), *[written({"title": "Light", "year": "x"})] * 3]
    job = job_at(api_url, OWN)
    assert job.wait(10)
    assert job.run.state == "failed"
    assert not job.run.reply
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Light", "year": "x"}'
    assert len(job.run.failure.attempts) == 3
    assert job.run.failure.attempts[-1].errors[0].pointer == "/year"


def test_what_was_cut_off_is_kept(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [has_grammar(), *[cut_off('{"title": "Li')] * 3]
    job = job_at(api_url, OWN)
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code == "output_truncated"
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Li'


def test_what_broke_off_after_an_attempt_is_kept(
    api_url: str, model_server: FakeModelServer
) -> None:
    wrong = written({"title": "Light", "year": "x"})
    model_server.replies += [has_grammar(), wrong, replay("runner-killed-before-first-byte")]
    job = job_at(api_url, OWN)
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code == "model_server_failed"
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Light", "year": "x"}'
    assert job.run.failure.sent


def test_a_schema_that_is_refused_lost_no_answer(api_url: str) -> None:
    job = job_at(api_url, TargetSchema({"$ref": "http://evil.test/schema"}))
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code.startswith("schema_")
    assert job.run.failure is None


def test_stop_reaches_the_model_server_and_keeps_what_was_certain(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar(), begun('{"name": "Party", "date": "20')]
    job = job_at(api_url)
    wait_for_object(job)
    job.stop()
    assert model_server.chats[1].left.wait(10)
    assert (job.run.state, json.loads(job.run.written)) == ("stopped", {"name": "Party"})
