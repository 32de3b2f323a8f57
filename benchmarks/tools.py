"""Measures tool calls of the real model: `python -m benchmarks.tools`, `make bench-tools`.

Questions are sent with client functions, and the calls are compared with the expected ones: the
same functions in any order, with expected values only. Questions of the category `irrelevance` need
no call. Sums are sent with the API's calculator: the report counts steps, and answers, with the
right number. All at temperature 0. Exit code 1: a call did not match the schema of its function.
"""

import argparse
import json
import math
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from benchmarks.json_lines import read_json_lines
from benchmarks.processes import MODEL_ID, ROOT, api_of_real_model

QUESTIONS = ROOT / "tests" / "data" / "tool_questions.jsonl"
SUMS = ROOT / "tests" / "data" / "sums.jsonl"
MAX_TOKENS = 400
MAX_ANSWER_TOKENS = 60
TIMEOUT_SECONDS = 120.0

Calls = list[tuple[str, Any]]


@dataclass
class Tally:
    """The counts of one category of questions."""

    asked: int = 0
    right: int = 0
    calls: int = 0
    fitting: int = 0  # calls that are valid against the schema of their function
    seconds: list[float] = field(default_factory=list)
    call_seconds: list[float] = field(default_factory=list)  # of answers with calls
    mistakes: list[str] = field(default_factory=list)

    def count(self, case: dict[str, Any], calls: Calls, seconds: float) -> None:
        mistake = find_mistake(case["calls"], calls)
        self.asked += 1
        self.right += mistake is None
        self.calls += len(calls)
        self.fitting += sum(_fits(case["functions"], *call) for call in calls)
        self.seconds.append(seconds)
        if calls:
            self.call_seconds.append(seconds)
        if mistake:
            self.mistakes.append(f"{case['question']!r}: {mistake}")

    def __str__(self) -> str:
        low, high = interval(self.right, self.asked)
        seconds = statistics.median(self.call_seconds or self.seconds)
        return (
            f"{self.right} of {self.asked} right, {self.right / self.asked:.0%} "
            f"({low:.0%} to {high:.0%}); calls {self.calls}, fitting {self.fitting}; "
            f"median {seconds:.2f} s"
        )


@dataclass
class Sums:
    """The counts of sums for the API's calculator."""

    asked: int = 0
    right_steps: int = 0
    right_answers: int = 0
    seconds: list[float] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def count(self, case: dict[str, Any], payload: dict[str, Any], seconds: float) -> None:
        steps = payload.get("smolchat", {}).get("steps", [])
        answer = payload["choices"][0]["message"]["content"] or ""
        self.asked += 1
        self.right_steps += any(has_number(str(s.get("result")), case["result"]) for s in steps)
        self.seconds.append(seconds)
        if has_number(answer, case["result"]):
            self.right_answers += 1
        else:
            self.mistakes.append(f"{case['question']!r}, {case['result']}: {answer[:100]!r}")

    def __str__(self) -> str:
        return (
            f"{self.right_answers} of {self.asked} answers with the right number, "
            f"{self.right_steps} right steps; median {statistics.median(self.seconds):.2f} s"
        )


def find_mistake(expected: list[dict[str, Any]], calls: Calls) -> str | None:
    """Return what is wrong with the calls, or None; their order does not matter."""
    if len(calls) != len(expected):
        return f"{len(calls)} calls, not {len(expected)}"
    left = list(calls)
    for wanted in expected:
        match = next((call for call in left if _is_right(wanted, *call)), None)
        if match is None:
            return f"no call like {wanted} among {left}"
        left.remove(match)
    return None


def has_number(text: str, number: str) -> bool:
    """Return True if a text has a number, with or without thousands separators."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return re.search(rf"(?<![\d.]){re.escape(number)}(?!\d|\.\d)", plain) is not None


def interval(right: int, asked: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson)."""
    z = 1.96
    middle = (right + z * z / 2) / (asked + z * z)
    half = z / (asked + z * z) * math.sqrt(right * (asked - right) / asked + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def ask_with_functions(client: httpx.Client, case: dict[str, Any]) -> Calls:
    tools = [{"type": "function", "function": function} for function in case["functions"]]
    response = _complete(client, case["question"], tools=tools, max_tokens=MAX_TOKENS)
    calls = response["choices"][0]["message"].get("tool_calls") or []
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def measure(
    client: httpx.Client, questions: list[dict[str, Any]], sums: list[dict[str, Any]]
) -> tuple[dict[str, Tally], Sums]:
    tallies: dict[str, Tally] = {}
    for number, case in enumerate(questions, 1):
        print(f"\r{number} of {len(questions)} questions", end="", file=sys.stderr, flush=True)
        started_at = time.monotonic()
        calls = ask_with_functions(client, case)
        tally = tallies.setdefault(case["category"], Tally())
        tally.count(case, calls, time.monotonic() - started_at)
    counts = Sums()
    for number, case in enumerate(sums, 1):
        print(f"\r{number} of {len(sums)} sums     ", end="", file=sys.stderr, flush=True)
        started_at = time.monotonic()
        options = {"smolchat": {"tools": "all"}, "max_tokens": MAX_ANSWER_TOKENS}
        payload = _complete(client, case["question"], **options)
        counts.count(case, payload, time.monotonic() - started_at)
    print("\r", end="", file=sys.stderr)
    return tallies, counts


def _complete(client: httpx.Client, question: str, **fields: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0} | fields
    response = client.post("/v1/chat/completions", json=body | {"model": MODEL_ID})
    response.raise_for_status()
    payload: dict[str, Any] = response.json()
    return payload


def _is_right(want: dict[str, Any], name: str, arguments: Any) -> bool:
    """Return True if a call has the expected arguments, and no others."""
    if name != want["name"] or arguments.keys() != want["arguments"].keys():
        return False
    return all(
        any(_same(arguments[key], value) for value in values)
        for key, values in want["arguments"].items()
    )


def _same(value: Any, other: Any) -> bool:
    is_text = isinstance(value, str) and isinstance(other, str)
    return bool(value.strip().lower() == other.strip().lower() if is_text else value == other)


def _fits(functions: list[dict[str, Any]], name: str, arguments: Any) -> bool:
    schema = next((each["parameters"] for each in functions if each["name"] == name), False)
    return bool(jsonschema_rs.is_valid(schema, arguments))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tools",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--questions",
        type=Path,
        default=QUESTIONS,
        help="JSON lines of {category, question, functions, calls: [{name, arguments: {name: "
        "[allowed values]}}]}",
    )
    parser.add_argument("--sums", type=Path, default=SUMS, help="JSON lines of {question, result}")
    parser.add_argument("--count", type=int, help="only so many questions and sums")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


def main() -> int:
    options = _parse_options()
    questions = read_json_lines(options.questions)[: options.count]
    sums = read_json_lines(options.sums)[: options.count]
    with api_of_real_model(TIMEOUT_SECONDS) as client:
        tallies, counts = measure(client, questions, sums)
    if options.json:
        report = {name: asdict(tally) for name, tally in tallies.items()}
        print(json.dumps(report | {"sums": asdict(counts)}, indent=1))
    else:
        for name, tally in tallies.items():
            print("\n  ".join([f"{name}: {tally}", *tally.mistakes]))
        print("\n  ".join([f"sums: {counts}", *counts.mistakes]))
    return int(any(tally.fitting < tally.calls for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
