"""The structured stream job, against the real API with a scripted model server."""

import json
import time

from api.client import ApiClient
from settings import Settings
from structured.stream_job import StructuredStreamJob
from structured.target_schema import TargetSchema, build_request
from tests.support.fake_model_server import FakeModelServer, replay
from tests.support.structured_responses import (
    EVENT,
    FILM,
    grammar_probe_reply,
    hanging_reply,
    json_reply,
    truncated_reply,
)

CUSTOM = TargetSchema(FILM)
REGISTERED = TargetSchema({}, registered_name="event")


def job_at(url: str, target: TargetSchema = REGISTERED, **parameters: int) -> StructuredStreamJob:
    client = ApiClient(Settings(api_base_url=url))
    body = build_request(target, "A party", model=None, parameters=parameters)
    return StructuredStreamJob(lambda: client.stream_structured(body), target, "A party")


def wait_for_partial_output(job: StructuredStreamJob) -> None:
    deadline = time.monotonic() + 10
    while not job.run.output and time.monotonic() < deadline:
        job.wait(0.01)


def test_output_grows_until_it_is_valid(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [grammar_probe_reply(), json_reply(EVENT, interval_seconds=0.05)]
    job = job_at(api_url)
    wait_for_partial_output(job)
    assert json.loads(job.run.output).items() < EVENT.items()
    assert job.wait(10)
    assert (job.run.state, json.loads(job.run.output)) == ("finished", EVENT)
    assert job.run.response
    assert len(job.run.response.answer.attempts) == 1
    assert job.run.response.answer.sent
    assert job.run.seconds


def test_custom_schema_is_sent_with_the_parameters(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply(), json_reply({"title": "Light", "year": 1999})]
    job = job_at(api_url, CUSTOM, seed=7, max_tokens=99)
    assert job.wait(10)
    assert job.run.state == "finished"
    body = model_server.chat_requests[1].body
    assert (body["seed"], body["max_tokens"]) == (7, 99)
    assert body["messages"][-1] == {"role": "user", "content": "A party"}


def test_invalid_output_is_kept_with_its_errors(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [
        grammar_probe_reply(),
        *[json_reply({"title": "Light", "year": "x"})] * 3,
    ]
    job = job_at(api_url, CUSTOM)
    assert job.wait(10)
    assert job.run.state == "failed"
    assert not job.run.response
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Light", "year": "x"}'
    assert len(job.run.failure.attempts) == 3
    assert job.run.failure.attempts[-1].errors[0].pointer == "/year"


def test_truncated_output_is_kept(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [grammar_probe_reply(), *[truncated_reply('{"title": "Li')] * 3]
    job = job_at(api_url, CUSTOM)
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code == "output_truncated"
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Li'


def test_failed_attempt_is_kept_when_the_model_server_fails(
    api_url: str, model_server: FakeModelServer
) -> None:
    invalid = json_reply({"title": "Light", "year": "x"})
    model_server.replies += [
        grammar_probe_reply(),
        invalid,
        replay("runner-killed-before-first-byte"),
    ]
    job = job_at(api_url, CUSTOM)
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code == "model_server_failed"
    assert job.run.failure
    assert job.run.failure.text == '{"title": "Light", "year": "x"}'
    assert job.run.failure.sent


def test_rejected_schema_has_no_failed_attempts(api_url: str) -> None:
    job = job_at(api_url, TargetSchema({"$ref": "http://evil.test/schema"}))
    assert job.wait(10)
    assert job.run.error
    assert job.run.error.code.startswith("schema_")
    assert job.run.failure is None


def test_stop_cancels_the_request_and_keeps_partial_output(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply(), hanging_reply('{"name": "Party", "date": "20')]
    job = job_at(api_url)
    wait_for_partial_output(job)
    job.stop()
    assert model_server.chat_requests[1].disconnected.wait(10)
    assert (job.run.state, json.loads(job.run.output)) == ("stopped", {"name": "Party"})
