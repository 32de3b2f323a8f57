"""The benchmarks themselves: that they run, tell everything, and see what is wrong."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import benchmarks.structured
from benchmarks.http_client import Answer, unchunked
from benchmarks.load import is_good
from benchmarks.processes import free_port
from benchmarks.response_outcome import ResponseOutcome, classify_response
from benchmarks.scripted_replies import Script
from benchmarks.soak import ResourceUsage, is_excused, leaked_resources, log_faults
from benchmarks.soak_clients import (
    LOST,
    ClientScenario,
    ScenarioResult,
    check_result,
    plan_scenarios,
)
from benchmarks.structured import Fields, Tally, violates_contract
from tests.support.browser import needs_chromium
from tests.support.paths import ROOT

FINISHED = b'data: {"choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'{"error":{"message":"It broke.","type":"server_error","code":"model_server_failed"}}'
NOTHING = ResourceUsage(clients=0, upstream=0, files=20, megabytes=80.0, running=0)


def run(module: str, *arguments: str) -> tuple[Any, int]:
    command = [sys.executable, "-m", f"benchmarks.{module}", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


def answered(body: bytes, *, status: int = 200, kind: str = "application/json") -> Answer:
    return Answer(status=status, kind=kind, body=body, is_whole=True)


def streamed(body: bytes) -> Answer:
    return answered(body, kind="text/event-stream")


def visit(manner: str, *options: str) -> ClientScenario:
    return ClientScenario(
        script=Script(manner=manner),
        is_stream=True,
        options=frozenset(options),
        habit="reads",
        seconds=0,
    )


def test_the_benchmark_tells_all_figures_and_no_errors() -> None:
    sizes = ["--rounds", "1", "--seconds", "0.2", "--at-once", "8", "--idle", "20"]
    report, code = run("proxy", *sizes, "--memory", "--requests", "400")
    assert (code, report["errors"], report["unfinished"]) == (0, 0, 0)
    assert report["load_average_before"] >= 0
    assert report["load_average_after"] >= 0
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert list(figures) == [
        "answer, one at a time",
        "answers, many at once",
        "CPU per answer",
        "CPU per streamed chunk",
        "flood of chunks",
        "CPU per chunk, with receipt",
        "memory per idle stream",
        "memory growth, 20 to 400 requests",
    ]
    assert figures["answer, one at a time"]["ratios"]["direct"] > 1
    assert figures["answers, many at once"]["ratios"]["relay"] < 1
    assert figures["CPU per chunk, with receipt"]["values"]["receipt"] > 0
    assert figures["memory per idle stream"]["values"]["api"] is not None


@needs_chromium
def test_the_benchmark_of_the_page_tells_all_figures() -> None:
    figures, _ = run("ui", "--times", "1", "--tokens", "100")
    assert len(figures) == 6
    assert all(0 < figure["median"] == figure["worst"] for figure in figures)


def test_no_free_port_is_drawn_twice_by_programs_that_run_at_once() -> None:
    draw = "from benchmarks.processes import free_port; print(*(free_port() for _ in range(400)))"
    here = [free_port() for _ in range(400)]
    there = subprocess.run([sys.executable, "-c", draw], cwd=ROOT, capture_output=True, check=True)
    drawn = [*here, *map(int, there.stdout.split())]
    assert len(set(drawn)) == len(drawn) == 800


def test_the_soak_finds_nothing_wrong() -> None:
    report, code = run("soak", "--seconds", "2", "--seed", "7")
    assert (report["faults"], report["samples"], code) == ({}, [], 0)
    assert report["seed"] == 7
    assert report["visits"] > 30
    assert report["endings"]["whole"]
    assert report["after"]["clients"] == report["after"]["running"] == 0
    assert report["slowest_health_ms"] > 0


def test_a_seed_draws_the_same_plan_again() -> None:
    plan, again, other = (
        list(islice(plan_scenarios(seed, place=place), 50))
        for seed, place in ((7, 1), (7, 1), (7, 2))
    )
    assert plan == again != other


def test_the_structured_benchmark_tells_how_many_fit_and_which_values_are_right(
    tmp_path: Path,
) -> None:
    form = {"type": "object", "properties": {"age": {"const": 34}}, "required": ["age"]}
    schemas, texts = tmp_path / "schemas.jsonl", tmp_path / "texts.jsonl"
    schemas.write_text(json.dumps({"schema": form, "prompt": "Maria is 34."}))
    texts.write_text(json.dumps({"schema": form, "text": "Maria is 34.", "expected": {"age": 34}}))
    files = ["--schemas", str(schemas), "--extractions", str(texts)]
    report, code = run("structured", *files, "--seeds", "1", "--manners", "structured")
    assert code == 0
    assert (report["structured"]["asked"], report["structured"]["valid"]) == (1, 1)
    assert report["extractions"] == {"asked": 1, "right": 1, "mistakes": []}


@pytest.mark.parametrize("manner", ["structured", "json_schema"])
def test_an_answer_of_ours_that_does_not_fit_is_found(manner: str) -> None:
    tally = Tally()
    tally.count(benchmarks.structured.Outcome(200, "2", is_truncated=False), {"const": 1}, 1.0, "a")
    assert violates_contract({manner: tally}) == (manner == "structured")


def test_a_value_that_was_not_read_is_told() -> None:
    fields = Fields()
    fields.count('{"a": 1, "b": 2}', {"a": 1, "b": 3})
    fields.count(None, {"a": 1})
    assert (fields.asked, fields.right) == (3, 1)
    assert fields.mistakes == ["b: 2 for 3", "a: None for 1"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (streamed(FINISHED + DONE), "whole"),
        (
            streamed(b": comment\n\n" + FINISHED + b"\n\ndata: " + ERROR + b"\n\n"),
            "event model_server_failed",
        ),
        (answered(b'{"choices":[{"index":0}]}'), "whole"),
        (answered(ERROR, status=502), "502 model_server_failed"),
    ],
)
def test_a_proper_ending_is_not_found_fault_with(answer: Answer, kind: str) -> None:
    assert classify_response(answer) == ResponseOutcome(kind)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(status=200, kind="text/event-stream", body=FINISHED),  # HTTP did not end
        streamed(b""),
        streamed(FINISHED),
        streamed(DONE),
        streamed(FINISHED + DONE[:-1]),
        streamed(FINISHED + DONE + DONE),
        streamed(FINISHED + DONE + FINISHED),
        streamed(FINISHED + DONE + b"data: " + ERROR + b"\n\n"),
        answered(b""),
        answered(ERROR),
        answered(b'{"choices":['),
        answered(b"<html>", status=502, kind="text/html"),
        answered(ERROR, status=500),
    ],
)
def test_any_other_ending_is(answer: Answer) -> None:
    assert classify_response(answer).fault


def test_an_answer_is_judged_by_what_the_model_server_did() -> None:
    whole, broken = streamed(FINISHED + DONE), answered(ERROR, status=502)
    assert not check_result(visit("plain"), whole).fault
    assert not check_result(visit("resets_midway"), broken).fault
    assert check_result(visit("plain"), broken).fault == LOST
    assert check_result(visit("resets_midway"), whole).fault
    assert check_result(visit("plain", "receipt"), whole).fault


def test_an_outage_excuses_a_lost_answer_and_no_bad_ending() -> None:
    lost, cut = ResponseOutcome("502", LOST), ResponseOutcome("cut off", "the connection ended")
    assert is_excused(ScenarioResult(visit("plain"), lost, 10.0, 12.0), [(11.0, 13.0)])
    assert not is_excused(ScenarioResult(visit("plain"), lost, 10.0, 12.0), [(13.0, 14.0)])
    assert not is_excused(ScenarioResult(visit("plain"), cut, 10.0, 12.0), [(11.0, 13.0)])


def test_what_is_left_over_is_found() -> None:
    assert leaked_resources(NOTHING, NOTHING) == []
    held = ResourceUsage(clients=1, upstream=1, files=40, megabytes=180.0, running=1)
    assert len(leaked_resources(NOTHING, held)) == 5


def test_a_traceback_in_the_log_is_found() -> None:
    said = (
        'it began\nTraceback (most recent call last):\n  File "x.py"\nValueError: no\nit went on\n'
    )
    assert log_faults(said) == ["the log has a traceback of ValueError: no"]
    assert log_faults("Task was destroyed but it is pending!")
    assert not log_faults("the model server said, with status 503: 'Loading model'")


def test_an_answer_that_lacks_something_is_an_error() -> None:
    words = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}]}\n\n' * 2
    assert is_good(streamed(words + DONE), tokens=2)
    assert not is_good(streamed(words + DONE), tokens=3)
    assert not is_good(streamed(words + FINISHED), tokens=2)
    assert not is_good(streamed(words + DONE), tokens=2, with_receipt=True)
    assert not is_good(answered(ERROR, status=502), tokens=None)


def test_chunks_are_whole_only_with_the_last_one() -> None:
    assert unchunked(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n") == (b"onetwo", True)
    assert unchunked(b"3\r\none\r\n3\r\nt") == (b"one", False)
