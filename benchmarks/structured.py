"""Measures how often output is valid: `python -m benchmarks.structured`, `make bench-structured`.

The same requests go to the API with three methods in turn: JSON mode and the model server's own
JSON schema support (both with /chat), and /structured. Each output is validated here, against the
requested schema. Then /structured extracts values from texts, which are compared with the expected
ones; some are of optional properties, of which only those that the text mentions are expected. The
model is the real one. Last, all schemas are prepared, without the model. Exit code 1: /structured
returned invalid output.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from benchmarks.json_lines import read_json_lines
from benchmarks.processes import ROOT, api_of_real_model
from benchmarks.schema_preparation import Preparation, measure_preparation

SCHEMAS = ROOT / "tests" / "data" / "schemas.jsonl"
EXTRACTIONS = ROOT / "tests" / "data" / "extractions.jsonl"
MENTIONS = ROOT / "tests" / "data" / "mentions.jsonl"
MAX_TOKENS = 160
PREPARED_TOKENS = (400, 160)
MAX_CASES = 60  # of a file of schemas, evenly spaced, that the model gets
TEMPERATURE = 0.7
TIMEOUT_SECONDS = 300.0

SendRequest = Callable[[httpx.Client, dict[str, Any], dict[str, Any]], "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The result of one request; `text` is the output, or None after an error."""

    status: int
    text: str | None
    is_truncated: bool
    code: str | None = None
    attempts: int = 1


@dataclass
class Tally:
    """The counts of all requests with one method."""

    asked: int = 0
    json: int = 0
    valid: int = 0
    truncated: int = 0
    first: int = 0  # valid at the first attempt
    wrong: int = 0  # status 200, but invalid
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome, schema: Any, seconds: float, name: str) -> None:
        is_json, is_valid = _validate(outcome.text, schema)
        self.asked += 1
        self.json += is_json
        self.valid += is_valid
        self.truncated += outcome.is_truncated
        self.first += is_valid and outcome.attempts == 1
        self.wrong += outcome.status == 200 and not is_valid
        self.seconds.append(seconds)
        if not is_valid:
            self.failures.append(f"{name}: {outcome.code or outcome.status}")


@dataclass
class Fields:
    """The counts of the values to extract from texts."""

    asked: int = 0
    present: int = 0
    right: int = 0
    answers: int = 0
    unexpected: int = 0  # properties that are neither required nor expected
    mistakes: list[str] = field(default_factory=list)

    def count(
        self, text: str | None, expected: dict[str, Any], required: Iterable[str] = ()
    ) -> None:
        values = json.loads(text or "{}")
        self.answers += 1
        self.unexpected += len(values.keys() - expected.keys() - set(required))
        for name, value in expected.items():
            self.asked += 1
            self.present += name in values
            self.right += values.get(name) == value
            if values.get(name) != value:
                self.mistakes.append(f"{name}: {values.get(name)!r} for {value!r}")

    def __str__(self) -> str:
        present, right = (f"{100 * n / self.asked:.1f}%" for n in (self.present, self.right))
        summary = (
            f"{self.right} of {self.asked} right, {right}; present {present}; "
            f"unexpected properties per answer {self.unexpected / self.answers:.1f}"
        )
        return "\n  ".join([summary, *self.mistakes])


def json_object(client: httpx.Client, body: dict[str, Any], _schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": {"type": "json_object"}})


def json_schema(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": _response_format(schema)})


def structured(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    response = client.post("/structured", json=body | {"response_format": _response_format(schema)})
    payload = response.json()
    if response.status_code == 200:
        attempts = len(payload["answers"][0]["attempts"])
        return Outcome(200, json.dumps(payload["parsed"]), is_truncated=False, attempts=attempts)
    code = payload["error"]["code"]
    return Outcome(response.status_code, None, code == "output_truncated", code)


METHODS: dict[str, SendRequest] = {
    "json_object": json_object,
    "json_schema": json_schema,
    "structured": structured,
}


def measure(
    client: httpx.Client,
    cases: list[dict[str, Any]],
    seeds: int,
    methods: Iterable[str],
    *,
    max_tokens: int = MAX_TOKENS,
) -> dict[str, Tally]:
    """Send every request with every method, one after another."""
    tallies = {name: Tally() for name in methods}
    for number, case in enumerate(cases):
        _print_progress(f"{number + 1} of {len(cases)} schemas")
        for seed in range(seeds):
            for name, tally in tallies.items():
                started_at = time.monotonic()
                body = _body(case["prompt"], seed) | {"max_tokens": max_tokens}
                outcome = METHODS[name](client, body, case["schema"])
                seconds = time.monotonic() - started_at
                tally.count(outcome, case["schema"], seconds, str(case.get("id", number)))
    return tallies


def extract_values(client: httpx.Client, cases: list[dict[str, Any]], seeds: int) -> Fields:
    """Extract the values from every text with /structured."""
    fields = Fields()
    for number, case in enumerate(cases):
        _print_progress(f"{number + 1} of {len(cases)} texts  ")
        for seed in range(seeds):
            outcome = structured(client, _body(case["text"], seed), case["schema"])
            fields.count(outcome.text, case["expected"], case["schema"].get("required", ()))
    return fields


def violates_contract(tallies: dict[str, Tally]) -> bool:
    """Return True if /structured returned invalid output."""
    return "structured" in tallies and tallies["structured"].wrong > 0


def format_report(
    tallies: dict[str, Tally], extracted: dict[str, Fields], preparations: list[Preparation]
) -> str:
    """Format the report as text."""
    header = (
        f"{'':14}{'sent':>7}{'JSON':>8}{'valid':>8}{'at first':>10}{'cut off':>9}"
        f"{'200, wrong':>12}{'median':>9}"
    )
    lines = [header] if tallies else []
    lines += [_format_row(name, tally) for name, tally in tallies.items()]
    if {"json_schema", "structured"} <= set(tallies):
        medians = [
            statistics.median(tallies[name].seconds) for name in ("structured", "json_schema")
        ]
        lines.append(f"duration of structured / json_schema: {medians[0] / medians[1]:.2f}")
    if "structured" in tallies and (failures := tallies["structured"].failures):
        lines.append(f"failed: {', '.join(failures)}")
    lines += [f"{name}: {fields}" for name, fields in extracted.items() if fields.asked]
    lines += [str(preparation) for preparation in preparations]
    return "\n".join(lines)


def _format_row(name: str, tally: Tally) -> str:
    counts = (tally.json, tally.valid, tally.first, tally.truncated)
    shares = [100 * count / tally.asked for count in counts]
    return (
        f"{name:14}{tally.asked:7}{shares[0]:7.1f}%{shares[1]:7.1f}%{shares[2]:9.1f}%{shares[3]:8.1f}%"
        f"{tally.wrong:12}{statistics.median(tally.seconds):8.2f}s"
    )


def _chat(client: httpx.Client, body: dict[str, Any]) -> Outcome:
    response = client.post("/chat", json=body)
    payload = response.json()
    if response.status_code != 200:
        return Outcome(
            response.status_code, None, is_truncated=False, code=payload["error"]["code"]
        )
    choice = payload["choices"][0]
    return Outcome(200, choice["message"]["content"], choice["finish_reason"] == "length")


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def _validate(text: str | None, schema: Any) -> tuple[bool, bool]:
    try:
        parsed = json.loads(text or "")
    except ValueError:
        return False, False
    return True, bool(jsonschema_rs.is_valid(schema, parsed, validate_formats=True))


def _body(prompt: str, seed: int) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": prompt}],
        "seed": seed + 1,
        "max_tokens": MAX_TOKENS,
        "temperature": TEMPERATURE,
    }


def _print_progress(progress: str) -> None:
    print(f"\r{progress}", end="", flush=True, file=sys.stderr)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.structured",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schemas", type=Path, help="JSON lines of {schema, prompt}")
    parser.add_argument("--extractions", type=Path, help="JSON lines of {schema, text, expected}")
    parser.add_argument("--mentions", type=Path, help="the same, with optional properties")
    parser.add_argument("--cases", type=int, default=MAX_CASES, help="most schemas for the model")
    parser.add_argument("--max-tokens", type=int, default=MAX_TOKENS, help="of their answers")
    parser.add_argument("--seeds", type=int, default=3, help="requests per line and method (3)")
    parser.add_argument("--manners", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    if not (options.schemas or options.extractions or options.mentions):
        options.schemas, options.extractions, options.mentions = SCHEMAS, EXTRACTIONS, MENTIONS
    return options


def main() -> int:
    options = _parse_options()
    cases = read_json_lines(options.schemas)
    texts = {"extractions": options.extractions, "mentions": options.mentions}
    with api_of_real_model(TIMEOUT_SECONDS) as client:
        tallies = {}
        if chosen := cases[:: -(-len(cases) // options.cases)] if cases else []:
            tallies = measure(
                client, chosen, options.seeds, options.manners, max_tokens=options.max_tokens
            )
        extracted = {
            name: extract_values(client, read_json_lines(path), options.seeds)
            for name, path in texts.items()
        }
    preparations = [measure_preparation(cases, tokens) for tokens in PREPARED_TOKENS if cases]
    _print_progress("")
    if options.json:
        counts: dict[str, Tally | Fields] = {**tallies, **extracted}
        report: dict[str, Any] = {name: asdict(each) for name, each in counts.items()}
        report["preparations"] = [asdict(preparation) for preparation in preparations]
        print(json.dumps(report, indent=1))
    else:
        print(format_report(tallies, extracted, preparations))
    return 1 if violates_contract(tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
