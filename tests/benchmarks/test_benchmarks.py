"""The benchmarks: that they run, report every figure, and detect faults."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import benchmarks.structured
from benchmarks.http_client import HttpResponse, decode_chunked
from benchmarks.load import is_complete_response
from benchmarks.processes import free_port
from benchmarks.response_outcome import ResponseOutcome, classify_response, classify_run
from benchmarks.schema_preparation import Preparation
from benchmarks.scripted_calls import ToolScript, calls_now, read_script
from benchmarks.scripted_replies import Script
from benchmarks.soak import is_excused, log_faults
from benchmarks.soak_clients import (
    LOST,
    ClientScenario,
    ScenarioResult,
    check_result,
    plan_scenarios,
)
from benchmarks.soak_resources import ResourceUsage, leaked_resources
from benchmarks.structured import Fields, Tally, violates_contract
from benchmarks.tool_attacks import TOOL_ATTACKS, plan_chats
from benchmarks.tools import find_mistake, has_number
from tests.support.browser import needs_chromium
from tests.support.paths import ROOT

FINISHED = b'data: {"choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'{"error":{"message":"It broke.","type":"server_error","code":"model_server_failed"}}'
NOTHING = ResourceUsage(clients=0, upstream=0, files=20, megabytes=80.0, running=0)


def run(module: str, *arguments: str) -> tuple[Any, int]:
    command = [sys.executable, "-m", f"benchmarks.{module}", "--json", *arguments]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout, process.stderr
    return json.loads(process.stdout), process.returncode


def json_response(
    body: bytes, *, status: int = 200, content_type: str = "application/json"
) -> HttpResponse:
    return HttpResponse(status=status, content_type=content_type, body=body, is_complete=True)


def stream_response(body: bytes) -> HttpResponse:
    return json_response(body, content_type="text/event-stream")


def scenario(manner: str, *options: str) -> ClientScenario:
    return ClientScenario(
        script=Script(manner=manner),
        is_stream=True,
        options=frozenset(options),
        behavior="reads",
        seconds=0,
    )


def test_proxy_benchmark_reports_all_figures_without_errors() -> None:
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
def test_ui_benchmark_reports_all_figures() -> None:
    figures, _ = run("ui", "--times", "1", "--tokens", "100")
    assert len(figures) == 6
    assert all(0 < figure["median"] == figure["worst"] for figure in figures)


@needs_chromium
def test_web_benchmark_reports_all_figures_of_the_react_page() -> None:
    sizes = ["--times", "1", "--tokens", "50", "--answers", "1", "--keys", "10"]
    report, _ = run("web", *sizes, "--pages", "react")
    figures = {figure["name"]: figure["react"] for figure in report["figures"]}
    assert len(figures) == 14
    assert 100 < figures["first load: HTML, JS, CSS"] < figures["first load, with fonts"]
    assert all(
        seconds > 0
        for name, seconds in figures.items()
        if "shift" not in name and "heap" not in name
    )


def test_free_port_is_unique_across_concurrent_processes() -> None:
    script = "from benchmarks.processes import free_port; print(*(free_port() for _ in range(400)))"
    ports = [free_port() for _ in range(400)]
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True
    )
    all_ports = [*ports, *map(int, process.stdout.split())]
    assert len(set(all_ports)) == len(all_ports) == 800


@pytest.mark.timeout(300)
def test_soak_finds_no_faults() -> None:
    attacks = ("endless URL", "compressed answer")
    sizes = ["--seconds", "2", "--answers", "20"]
    report, code = run("soak", *sizes, "--seed", "7", "--attacks", ",".join(attacks))
    faults = [fault for fault in report["faults"] if "/healthz took" not in fault]
    assert (faults, report["samples"]) == ([], [])  # how quick it is depends on the machine
    assert code == bool(report["faults"])
    assert report["seed"] == 7
    assert report["visits"] > 30
    assert report["endings"]["complete"]
    assert report["after"]["clients"] == report["after"]["running"] == 0
    assert report["slowest_health_ms"] > 0
    assert [result["outcome"] for result in report["attacks"]] == [
        "431 request_head_too_large",
        "502 model_server_failed",
    ]
    assert all(result["requests"] > 20 for result in report["attacks"])


@pytest.mark.timeout(300)
def test_soak_with_tools_leaves_in_every_phase_and_finds_no_faults() -> None:
    attacks = ("chats with tools left", "hostile tools left")
    sizes = ["--seconds", "0", "--answers", "0"]
    report, _ = run("soak", *sizes, "--seed", "7", "--attacks", ",".join(attacks))
    faults = [fault for fault in report["faults"] if "/healthz took" not in fault]
    assert (faults, report["samples"]) == ([], [])  # how quick it is depends on the machine
    assert report["after_tools"]["calls"] == report["after_tools"]["tools"] == 0
    for phase in ("at once", "in a call", "after a call", "in the answer"):
        assert f"left {phase}" in report["attacks"][0]["outcome"]
    assert all(result["requests"] > 20 for result in report["attacks"])


def test_clients_of_chats_with_tools_leave_in_all_kinds_and_phases() -> None:
    chats = list(plan_chats(40, routes=("/chat", "/ag-ui")))
    kinds = {(chat.route, chat.is_stream, chat.is_stored, chat.leaves) for chat in chats}
    assert len({leaves for *_, leaves in kinds}) == 5
    assert {(route, is_stream) for route, is_stream, *_ in kinds} == {
        ("/chat", True), ("/chat", False), ("/ag-ui", True),
    }  # fmt: skip
    assert chats == list(plan_chats(40, routes=("/chat", "/ag-ui")))
    assert all("," not in name for name in TOOL_ATTACKS)


def test_scripted_model_calls_tools_as_often_as_its_script_says() -> None:
    script = ToolScript(tools=("a", "b"), rounds=2)
    question = {"role": "user", "content": script.message()}
    request: dict[str, Any] = {"messages": [question], "tools": [{}]}
    assert read_script(request) == script
    first = calls_now(script, request)
    request["messages"] += [{"role": "tool"}] * 2
    second = calls_now(script, request)
    assert [name for name, _ in first + second] == ["a", "b", "a", "b"]
    assert len(set(first + second)) == 4  # the same call twice would end the loop
    assert not calls_now(script, request | {"tool_choice": "none"})
    assert not calls_now(script, {"messages": request["messages"]})
    request["messages"] += [{"role": "tool"}] * 2
    assert not calls_now(script, request)


RUN_STARTED = b'data: {"type":"RUN_STARTED"}\n\n'
RUN_FINISHED = b'data: {"type":"RUN_FINISHED"}\n\n'
RUN_ERROR = b'data: {"type":"RUN_ERROR","message":"No.","code":"failed"}\n\n'


@pytest.mark.parametrize(
    ("body", "kind", "is_fault"),
    [
        (RUN_STARTED + RUN_FINISHED, "complete", False),
        (RUN_STARTED + RUN_ERROR, "event failed", False),
        (RUN_STARTED, "open run", True),
        (RUN_FINISHED + RUN_STARTED, "open run", True),
        (RUN_STARTED + RUN_FINISHED + RUN_ERROR, "open run", True),
        (RUN_STARTED + RUN_FINISHED[:-1], "open run", True),
        (b"", "open run", True),
    ],
)
def test_run_needs_one_last_event(body: bytes, kind: str, is_fault: bool) -> None:
    outcome = classify_run(stream_response(body))
    assert (outcome.kind, bool(outcome.fault)) == (kind, is_fault)


def test_same_seed_yields_the_same_scenarios() -> None:
    plan, again, other_slot = (
        list(islice(plan_scenarios(seed, slot=slot), 50)) for seed, slot in ((7, 1), (7, 1), (7, 2))
    )
    assert plan == again != other_slot


def test_structured_benchmark_counts_valid_outputs_and_correct_values(
    tmp_path: Path,
) -> None:
    schema = {"type": "object", "properties": {"age": {"const": 34}}, "required": ["age"]}
    schemas, texts = tmp_path / "schemas.jsonl", tmp_path / "texts.jsonl"
    schemas.write_text(json.dumps({"schema": schema, "prompt": "Maria is 34."}))
    texts.write_text(
        json.dumps({"schema": schema, "text": "Maria is 34.", "expected": {"age": 34}})
    )
    files = ["--schemas", str(schemas), "--extractions", str(texts)]
    report, code = run("structured", *files, "--seeds", "1", "--manners", "structured")
    assert code == 0
    assert (report["structured"]["asked"], report["structured"]["valid"]) == (1, 1)
    assert report["structured"]["first"] == 1
    extractions = report["extractions"]
    assert (extractions["asked"], extractions["present"], extractions["right"]) == (1, 1, 1)
    assert [each["sound"] for each in report["preparations"]] == [1, 1]


@pytest.mark.parametrize("manner", ["structured", "json_schema"])
def test_invalid_output_of_structured_violates_the_contract(manner: str) -> None:
    tally = Tally()
    tally.count(benchmarks.structured.Outcome(200, "2", is_truncated=False), {"const": 1}, 1.0, "a")
    assert violates_contract({manner: tally}) == (manner == "structured")


def test_wrong_values_are_listed_as_mistakes() -> None:
    fields = Fields()
    fields.count('{"a": 1, "b": 2}', {"a": 1, "b": 3})
    fields.count(None, {"a": 1})
    assert (fields.asked, fields.right) == (3, 1)
    assert fields.mistakes == ["b: 2 for 3", "a: None for 1"]


def test_properties_that_nobody_expects_are_counted() -> None:
    fields = Fields()
    fields.count('{"name": "x", "size": 1, "color": "red"}', {"size": 2, "weight": 3}, ["name"])
    assert (fields.present, fields.right, fields.unexpected) == (1, 0, 1)


def test_schemas_are_counted_as_prepared_sound_or_refused() -> None:
    preparation = Preparation(400)
    sent = {"type": "integer", "minimum": 0, "maximum": 9}
    preparation.count({"type": "integer"}, sent, 0.1, "")
    preparation.count({"maximum": 5}, sent, 0.1, "")
    preparation.count({}, None, 0.3, "schema_too_large")
    assert (preparation.asked, preparation.prepared, preparation.sound) == (3, 2, 1)
    assert preparation.refusals == {"schema_too_large": 1}
    assert "worst 300" in str(preparation)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (stream_response(FINISHED + DONE), "complete"),
        (
            stream_response(b": comment\n\n" + FINISHED + b"\n\ndata: " + ERROR + b"\n\n"),
            "event model_server_failed",
        ),
        (json_response(b'{"choices":[{"index":0}]}'), "complete"),
        (json_response(ERROR, status=502), "502 model_server_failed"),
    ],
)
def test_valid_end_of_a_response_has_no_fault(response: HttpResponse, kind: str) -> None:
    assert classify_response(response) == ResponseOutcome(kind)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(),
        HttpResponse(
            status=200, content_type="text/event-stream", body=FINISHED
        ),  # incomplete HTTP body
        stream_response(b""),
        stream_response(FINISHED),
        stream_response(DONE),
        stream_response(FINISHED + DONE[:-1]),
        stream_response(FINISHED + DONE + DONE),
        stream_response(FINISHED + DONE + FINISHED),
        stream_response(FINISHED + DONE + b"data: " + ERROR + b"\n\n"),
        json_response(b""),
        json_response(ERROR),
        json_response(b'{"choices":['),
        json_response(b"<html>", status=502, content_type="text/html"),
        json_response(ERROR, status=500),
    ],
)
def test_invalid_end_of_a_response_is_a_fault(response: HttpResponse) -> None:
    assert classify_response(response).fault


def test_response_is_compared_with_its_script() -> None:
    complete, broken = stream_response(FINISHED + DONE), json_response(ERROR, status=502)
    assert not check_result(scenario("plain"), complete).fault
    assert not check_result(scenario("resets_midway"), broken).fault
    assert check_result(scenario("plain"), broken).fault == LOST
    assert check_result(scenario("resets_midway"), complete).fault
    assert check_result(scenario("plain", "receipt"), complete).fault


def test_outage_excuses_a_lost_response_but_not_an_invalid_end() -> None:
    lost, cut_off = ResponseOutcome("502", LOST), ResponseOutcome("cut off", "the connection ended")
    assert is_excused(ScenarioResult(scenario("plain"), lost, 10.0, 12.0), [(11.0, 13.0)])
    assert not is_excused(ScenarioResult(scenario("plain"), lost, 10.0, 12.0), [(13.0, 14.0)])
    assert not is_excused(ScenarioResult(scenario("plain"), cut_off, 10.0, 12.0), [(11.0, 13.0)])


def test_leaked_resources_are_detected() -> None:
    assert leaked_resources(NOTHING, NOTHING) == []
    leaking = ResourceUsage(1, 1, files=40, megabytes=180.0, running=1, queued=1, tools=1, calls=1)
    assert len(leaked_resources(NOTHING, leaking)) == 8


def test_traceback_in_the_log_is_a_fault() -> None:
    log = 'before\nTraceback (most recent call last):\n  File "x.py"\nValueError: no\nafter\n'
    assert log_faults(log) == ["the log has a traceback of ValueError: no"]
    assert log_faults("Task was destroyed but it is pending!")
    assert not log_faults("the model server said, with status 503: 'Loading model'")


def test_incomplete_response_is_an_error() -> None:
    words = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}]}\n\n' * 2
    assert is_complete_response(stream_response(words + DONE), tokens=2)
    assert not is_complete_response(stream_response(words + DONE), tokens=3)
    assert not is_complete_response(stream_response(words + FINISHED), tokens=2)
    assert not is_complete_response(stream_response(words + DONE), tokens=2, with_receipt=True)
    assert not is_complete_response(json_response(ERROR, status=502), tokens=None)


def test_chunked_body_is_complete_only_with_the_last_chunk() -> None:
    assert decode_chunked(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n") == (b"onetwo", True)
    assert decode_chunked(b"3\r\none\r\n3\r\nt") == (b"one", False)


CALL = {"name": "get", "arguments": {"city": ["Rome", "roma"], "days": [2]}}


@pytest.mark.parametrize(
    ("calls", "is_right"),
    [
        ([("get", {"city": "ROMA", "days": 2})], True),
        ([("get", {"city": "Rome", "days": 2.0})], True),
        ([("get", {"city": "Rome"})], False),
        ([("get", {"city": "Rome", "days": 2, "unit": "c"})], False),
        ([("set", {"city": "Rome", "days": 2})], False),
        ([], False),
        ([("get", {"city": "Rome", "days": 2})] * 2, False),
    ],
)
def test_calls_are_compared_with_the_expected_ones(calls: Any, is_right: bool) -> None:
    assert (find_mistake([CALL], calls) is None) == is_right
    assert (find_mistake([CALL, CALL], calls * 2) is None) == (is_right and len(calls) == 1)


@pytest.mark.parametrize(
    ("text", "number", "is_there"),
    [
        ("It is 1,234.", "1234", True),
        ("x = 97406784", "97406784", True),
        ("3.14 or so", "3.14", True),
        ("3.145", "3.14", False),
        ("123", "23", False),
        ("0.5", "5", False),
        ("5.5", "5", False),
    ],
)
def test_number_is_found_in_a_text(text: str, number: str, is_there: bool) -> None:
    assert has_number(text, number) == is_there


def test_tool_benchmark_reports_every_category() -> None:
    report, code = run("tools", "--count", "1")
    assert code == 0
    assert report["simple"]["asked"] == report["simple"]["calls"] == report["simple"]["fitting"]
    assert (report["sums"]["asked"], report["sums"]["right_steps"]) == (1, 1)
