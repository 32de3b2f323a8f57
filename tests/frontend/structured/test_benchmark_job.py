"""The benchmark job, against the real API with a scripted model server."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from api.client import ApiClient
from api.errors import from_payload
from api.structured_response import ChatCompletion
from settings import Settings
from structured.benchmark import scores
from structured.benchmark_job import MAX_TOKENS, METHODS, ExperimentJob, ExperimentPlan
from structured.target_schema import TargetSchema
from tests.support.fake_model_server import FakeModelServer, Reply, replay, stream_reply
from tests.support.requests import MODEL_ID
from tests.support.structured_responses import FILM, grammar_probe_reply, json_reply, text_reply

LIGHT = {"title": "Light", "year": 1999}
GOOD, BAD = json.dumps(LIGHT), '{"title": 1}'


def job_at(
    url: str, methods: Sequence[str] = METHODS, *, repetitions: int = 1, **parameters: int
) -> ExperimentJob:
    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, parameters, methods, repetitions)
    return ExperimentJob(ApiClient(Settings(api_base_url=url)), plan)


def outcomes(job: ExperimentJob) -> list[tuple[str, str]]:
    return [(trial.method, trial.outcome) for trial in job.experiment.trials]


def test_each_method_sends_its_own_request(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [
        text_reply(GOOD),
        text_reply(GOOD),
        text_reply(GOOD),
        grammar_probe_reply(),
        json_reply(LIGHT),
    ]
    job = job_at(api_url, seed=5)
    assert job.wait(10)
    assert outcomes(job) == [(method, "valid") for method in METHODS]
    free_text, json_object, json_schema, _, smolchat = [
        chat.body for chat in model_server.chat_requests
    ]
    assert "response_format" not in free_text
    assert "JSON Schema" in free_text["messages"][0]["content"]
    assert json_object["response_format"] == {"type": "json_object"}
    assert json_object["messages"] == free_text["messages"]
    assert json_schema["response_format"]["json_schema"]["schema"] == FILM
    assert json_schema["messages"] == [{"role": "user", "content": "A film"}]
    assert smolchat["messages"][-1] == {"role": "user", "content": "A film"}
    for body in (free_text, json_object, json_schema, smolchat):
        assert (body["max_tokens"], body["seed"]) == (MAX_TOKENS, 5)


@pytest.mark.parametrize("requires_mentioned", [True, False])
def test_only_smolchat_gets_the_option_for_mentioned_fields(requires_mentioned: bool) -> None:
    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, {}, METHODS, 1, requires_mentioned)
    bodies = {method: request["body"] for method, request in plan.requests().items()}
    fields = "mentioned" if requires_mentioned else "schema"
    assert bodies.pop("SmolChat")["smolchat"] == {"fields": fields}
    assert not [body for body in bodies.values() if "smolchat" in body]


def test_all_methods_are_validated_alike(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [
        text_reply(f"```json\n{GOOD}\n```"),
        text_reply(f"Sure! {GOOD}"),
        text_reply(GOOD[:20], "length"),
        grammar_probe_reply(),
        *[json_reply({"title": 1})] * 3,
    ]
    job = job_at(api_url)
    assert job.wait(10)
    assert [outcome for _, outcome in outcomes(job)] == ["valid", "invalid", "truncated", "invalid"]
    assert job.experiment.trials[-1].attempts == 3
    assert job.experiment.trials[-1].text == BAD
    assert all(trial.seconds > 0 for trial in job.experiment.trials)


def test_methods_alternate_and_the_seed_increases(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [text_reply(GOOD)] * 4
    job = job_at(api_url, ["json_object", "json_schema"], repetitions=2, seed=7)
    assert job.wait(10)
    assert [method for method, _ in outcomes(job)] == ["json_object", "json_schema"] * 2
    assert [chat.body["seed"] for chat in model_server.chat_requests] == [7, 7, 8, 8]
    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, {"seed": 2**63 - 1}, METHODS, 2)
    assert [plan.request(number)["seed"] for number in (1, 2)] == [2**63 - 1, 0]


def test_rejected_request_counts_as_refused(api_url: str, model_server: FakeModelServer) -> None:
    refused = Reply(400, chunks=[b'{"error": {"message": "failed to parse grammar"}}'])
    model_server.replies += [refused, text_reply(GOOD)]
    job = job_at(api_url, ["json_schema", "json_object"])
    assert job.wait(10)
    assert outcomes(job) == [("json_schema", "refused"), ("json_object", "valid")]
    [refused_score, valid_score] = scores(job.experiment.trials)
    assert refused_score.fault == job.experiment.trials[0].fault != ""
    assert valid_score.fault == ""


def test_json_that_the_api_finds_amid_other_text_is_valid(
    api_url: str, model_server: FakeModelServer
) -> None:
    text = f"<think>Hm.</think>Here it is: {GOOD}"
    model_server.replies += [grammar_probe_reply(), stream_reply([text])]
    job = job_at(api_url, ["SmolChat"])
    assert job.wait(10)
    assert outcomes(job) == [("SmolChat", "valid")]
    assert job.experiment.trials[0].text == text


@pytest.mark.parametrize("code", ["internal_error", "schema_worker_failed", "a_new_code"])
def test_unknown_error_of_one_method_leaves_the_others_their_results(code: str) -> None:
    class OneMethodFails(ApiClient):
        async def complete_chat(self, body: dict[str, Any]) -> ChatCompletion:
            if "response_format" in body:
                raise from_payload({"message": "No.", "code": code, "type": "server_error"})
            return ChatCompletion.model_validate({"choices": [{"message": {"content": GOOD}}]})

    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, {}, METHODS[:2], 1)
    job = ExperimentJob(OneMethodFails(Settings()), plan)
    assert job.wait(10)
    assert outcomes(job) == [("free text", "valid"), ("json_object", "failed")]
    assert job.experiment.error is None
    assert scores(job.experiment.trials)[1].fault == "No."


@pytest.mark.parametrize(
    "message",
    [
        b"unable to load runner: out of memory",
        b"The model produced output that does not match the expected peg-native format",
    ],
)
def test_failure_of_the_model_counts_as_failed(
    message: bytes, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [Reply(500, chunks=[message]), text_reply(GOOD)]
    job = job_at(api_url, ["json_schema", "json_object"])
    assert job.wait(10)
    assert outcomes(job) == [("json_schema", "failed"), ("json_object", "valid")]


@pytest.mark.parametrize("method", ["json_schema", "SmolChat"])
def test_lost_model_server_counts_as_failed(
    method: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [grammar_probe_reply()] if method == "SmolChat" else []
    model_server.replies += [replay("runner-killed-before-first-byte"), text_reply(GOOD)]
    job = job_at(api_url, [method, "json_object"])
    assert job.wait(10)
    assert outcomes(job) == [(method, "failed"), ("json_object", "valid")]
    assert scores(job.experiment.trials)[0].valid == 0


def test_exported_requests_are_those_that_were_sent(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [text_reply(GOOD)] * 3
    job = job_at(api_url, METHODS[:3], seed=5)
    assert job.wait(10)
    requests = job.experiment.plan.requests()
    assert list(requests) == list(METHODS[:3])
    added = {"model": MODEL_ID, "stream": False}
    assert [request["body"] | added for request in requests.values()] == [
        chat.body for chat in model_server.chat_requests
    ]
    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, {}, METHODS, 1)
    smolchat = plan.requests()["SmolChat"]
    assert smolchat["path"] == "/structured"
    assert smolchat["body"]["response_format"]["json_schema"]["schema"] == FILM


def test_unreachable_api_ends_the_benchmark() -> None:
    job = job_at("http://127.0.0.1:1", repetitions=3)
    assert job.wait(10)
    assert job.experiment.state == "failed"
    assert job.experiment.error
    assert job.experiment.error.code == "api_unreachable"
    assert not job.experiment.trials


def test_stop_cancels_the_request_and_keeps_the_trials(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [text_reply(GOOD), Reply(delay_seconds=60)]
    job = job_at(api_url, ["json_object"], repetitions=5)
    deadline = time.monotonic() + 10
    while len(model_server.chat_requests) < 2 and time.monotonic() < deadline:
        job.wait(0.01)
    job.stop()
    assert model_server.chat_requests[1].disconnected.wait(10)
    assert job.experiment.state == "stopped"
    assert outcomes(job) == [("json_object", "valid")]
