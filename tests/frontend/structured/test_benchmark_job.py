"""The measurement of how reliable each way is, against the real API with a scripted model."""

import json
import time
from collections.abc import Sequence

import pytest

from api.client import ApiClient
from settings import Settings
from structured.benchmark import scores
from structured.benchmark_job import MAX_TOKENS, METHODS, ExperimentJob, ExperimentPlan
from structured.target_schema import TargetSchema
from tests.support.fake_model_server import FakeModelServer, Reply, replay
from tests.support.requests import MODEL_ID
from tests.support.structured_responses import FILM, has_grammar, said, written

LIGHT = {"title": "Light", "year": 1999}
GOOD, BAD = json.dumps(LIGHT), '{"title": 1}'


def job_at(
    url: str, ways: Sequence[str] = METHODS, *, times: int = 1, **parameters: int
) -> ExperimentJob:
    plan = ExperimentPlan(TargetSchema(FILM), "A film", None, parameters, ways, times)
    return ExperimentJob(ApiClient(Settings(api_base_url=url)), plan)


def outcomes(job: ExperimentJob) -> list[tuple[str, str]]:
    return [(trial.method, trial.outcome) for trial in job.measurement.trials]


def test_each_way_asks_in_its_own_way(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [said(GOOD), said(GOOD), said(GOOD), has_grammar(), written(LIGHT)]
    job = job_at(api_url, seed=5)
    assert job.wait(10)
    assert outcomes(job) == [(way, "valid") for way in METHODS]
    free, some, theirs, _, ours = [chat.body for chat in model_server.chats]
    assert "response_format" not in free
    assert "JSON Schema" in free["messages"][0]["content"]
    assert some["response_format"] == {"type": "json_object"}
    assert some["messages"] == free["messages"]
    assert theirs["response_format"]["json_schema"]["schema"] == FILM
    assert theirs["messages"] == [{"role": "user", "content": "A film"}]
    assert ours["messages"][-1] == {"role": "user", "content": "A film"}
    for body in (free, some, theirs, ours):
        assert (body["max_tokens"], body["seed"]) == (MAX_TOKENS, 5)


def test_all_ways_are_judged_alike(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [
        said(f"```json\n{GOOD}\n```"),
        said(f"Sure! {GOOD}"),
        said(GOOD[:20], "length"),
        has_grammar(),
        *[written({"title": 1})] * 3,
    ]
    job = job_at(api_url)
    assert job.wait(10)
    assert [outcome for _, outcome in outcomes(job)] == ["valid", "invalid", "truncated", "invalid"]
    assert job.measurement.trials[-1].attempts == 3
    assert job.measurement.trials[-1].text == BAD
    assert all(trial.seconds > 0 for trial in job.measurement.trials)


def test_ways_take_turns_and_a_seed_moves_on(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [said(GOOD)] * 4
    job = job_at(api_url, ["json_object", "json_schema"], times=2, seed=2**32 - 1)
    assert job.wait(10)
    assert [way for way, _ in outcomes(job)] == ["json_object", "json_schema"] * 2
    assert [chat.body["seed"] for chat in model_server.chats] == [2**32 - 1] * 2 + [0] * 2


def test_a_way_that_is_refused_is_told_apart(api_url: str, model_server: FakeModelServer) -> None:
    refused = Reply(400, pieces=[b'{"error": {"message": "failed to parse grammar"}}'])
    model_server.replies += [refused, said(GOOD)]
    job = job_at(api_url, ["json_schema", "json_object"])
    assert job.wait(10)
    assert outcomes(job) == [("json_schema", "refused"), ("json_object", "valid")]
    assert job.measurement.trials[0].fault


@pytest.mark.parametrize("way", ["json_schema", "SmolChat"])
def test_a_model_server_that_is_lost_is_no_refusal(
    way: str, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [has_grammar()] if way == "SmolChat" else []
    model_server.replies += [replay("runner-killed-before-first-byte"), said(GOOD)]
    job = job_at(api_url, [way, "json_object"])
    assert job.wait(10)
    assert outcomes(job) == [(way, "failed"), ("json_object", "valid")]
    assert scores(job.measurement.trials)[0].valid == 0


def test_what_each_way_asks_is_what_is_sent(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [said(GOOD)] * 3
    job = job_at(api_url, METHODS[:3], seed=5)
    assert job.wait(10)
    asked = job.measurement.plan.requests()
    assert list(asked) == list(METHODS[:3])
    assert [told["body"] | {"model": MODEL_ID} for told in asked.values()] == [
        chat.body for chat in model_server.chats
    ]
    ours = ExperimentPlan(TargetSchema(FILM), "A film", None, {}, METHODS, 1).requests()["SmolChat"]
    assert ours["path"] == "/structured"
    assert ours["body"]["response_format"]["json_schema"]["schema"] == FILM


def test_it_ends_where_nothing_answers() -> None:
    job = job_at("http://127.0.0.1:1", times=3)
    assert job.wait(10)
    assert job.measurement.state == "failed"
    assert job.measurement.error
    assert job.measurement.error.code == "api_unreachable"
    assert not job.measurement.trials


def test_stop_ends_it_and_keeps_what_it_has(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [said(GOOD), Reply(first_seconds=60)]
    job = job_at(api_url, ["json_object"], times=5)
    deadline = time.monotonic() + 10
    while len(model_server.chats) < 2 and time.monotonic() < deadline:
        job.wait(0.01)
    job.stop()
    assert model_server.chats[1].left.wait(10)
    assert job.measurement.state == "stopped"
    assert outcomes(job) == [("json_object", "valid")]
