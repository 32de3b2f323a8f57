"""Measures how often output is valid: `python -m benchmarks.structured`, `make bench-structured`.

The same requests go to the API with three methods in turn: JSON mode and the model server's own
JSON schema support (both with /chat), and /structured. Each output is validated here, against the
requested schema. Then /structured extracts values from texts, which are compared with the expected
ones. The model is the real one. Exit code 1: /structured returned invalid output.
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

from benchmarks.processes import ROOT, running_api, running_engine

SCHEMAS = ROOT / "tests" / "data" / "schemas.jsonl"
EXTRACTIONS = ROOT / "tests" / "data" / "extractions.jsonl"
MAX_TOKENS = 160
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


@dataclass
class Tally:
    """The counts of all requests with one method."""

    asked: int = 0
    json: int = 0
    valid: int = 0
    truncated: int = 0
    wrong: int = 0  # status 200, but invalid
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome, schema: Any, seconds: float, name: str) -> None:
        is_json, is_valid = _validate(outcome.text, schema)
        self.asked += 1
        self.json += is_json
        self.valid += is_valid
        self.truncated += outcome.is_truncated
        self.wrong += outcome.status == 200 and not is_valid
        self.seconds.append(seconds)
        if not is_valid:
            self.failures.append(f"{name}: {outcome.code or outcome.status}")


@dataclass
class Fields:
    """The counts of the values to extract from texts."""

    asked: int = 0
    right: int = 0
    mistakes: list[str] = field(default_factory=list)

    def count(self, text: str | None, expected: dict[str, Any]) -> None:
        values = json.loads(text or "{}")
        for name, value in expected.items():
            self.asked += 1
            self.right += values.get(name) == value
            if values.get(name) != value:
                self.mistakes.append(f"{name}: {values.get(name)!r} for {value!r}")


def json_object(client: httpx.Client, body: dict[str, Any], _schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": {"type": "json_object"}})


def json_schema(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": _response_format(schema)})


def structured(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    response = client.post("/structured", json=body | {"response_format": _response_format(schema)})
    payload = response.json()
    if response.status_code == 200:
        return Outcome(200, json.dumps(payload["parsed"]), is_truncated=False)
    code = payload["error"]["code"]
    return Outcome(response.status_code, None, code == "output_truncated", code)


METHODS: dict[str, SendRequest] = {
    "json_object": json_object,
    "json_schema": json_schema,
    "structured": structured,
}


def measure(
    client: httpx.Client, cases: list[dict[str, Any]], seeds: int, methods: Iterable[str]
) -> dict[str, Tally]:
    """Send every request with every method, one after another."""
    tallies = {name: Tally() for name in methods}
    for number, case in enumerate(cases):
        _print_progress(f"{number + 1} of {len(cases)} schemas")
        for seed in range(seeds):
            for name, tally in tallies.items():
                started_at = time.monotonic()
                outcome = METHODS[name](client, _body(case["prompt"], seed), case["schema"])
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
            fields.count(outcome.text, case["expected"])
    return fields


def violates_contract(tallies: dict[str, Tally]) -> bool:
    """Return True if /structured returned invalid output."""
    return "structured" in tallies and tallies["structured"].wrong > 0


def format_report(tallies: dict[str, Tally], fields: Fields) -> str:
    """Format the report as text."""
    lines = [
        f"{'':14}{'sent':>7}{'JSON':>8}{'valid':>8}{'cut off':>9}{'200, wrong':>12}{'median':>9}"
    ]
    lines = lines if tallies else []
    lines += [_format_row(name, tally) for name, tally in tallies.items()]
    if {"json_schema", "structured"} <= set(tallies):
        medians = [
            statistics.median(tallies[name].seconds) for name in ("structured", "json_schema")
        ]
        lines.append(f"duration of structured / json_schema: {medians[0] / medians[1]:.2f}")
    if "structured" in tallies and (failures := tallies["structured"].failures):
        lines.append(f"failed: {', '.join(failures)}")
    if fields.asked:
        share = 100 * fields.right / fields.asked
        lines.append(f"values extracted from texts: {fields.right} of {fields.asked}, {share:.1f}%")
        lines += [f"  {mistake}" for mistake in fields.mistakes]
    return "\n".join(lines)


def _format_row(name: str, tally: Tally) -> str:
    shares = [100 * count / tally.asked for count in (tally.json, tally.valid, tally.truncated)]
    return (
        f"{name:14}{tally.asked:7}{shares[0]:7.1f}%{shares[1]:7.1f}%{shares[2]:8.1f}%"
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


def _read_json_lines(path: Path | None) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path else []
    return [json.loads(line) for line in lines if line.strip()]


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.structured",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schemas", type=Path, help="JSON lines of {schema, prompt}")
    parser.add_argument("--extractions", type=Path, help="JSON lines of {schema, text, expected}")
    parser.add_argument("--seeds", type=int, default=3, help="requests per line and method (3)")
    parser.add_argument("--manners", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    if not options.schemas and not options.extractions:
        options.schemas, options.extractions = SCHEMAS, EXTRACTIONS
    return options


def main() -> int:
    options = _parse_options()
    with running_engine() as engine:
        address = f"http://127.0.0.1:{engine.port}/engines/llama.cpp/v1"
        with (
            running_api(engine, {"DMR_BASE_URL": address}) as api,
            httpx.Client(
                base_url=f"http://127.0.0.1:{api.port}", timeout=TIMEOUT_SECONDS
            ) as client,
        ):
            cases = _read_json_lines(options.schemas)
            tallies = measure(client, cases, options.seeds, options.manners) if cases else {}
            fields = extract_values(client, _read_json_lines(options.extractions), options.seeds)
    _print_progress("")
    if options.json:
        report = {name: asdict(tally) for name, tally in tallies.items()}
        print(json.dumps(report | {"extractions": asdict(fields)}, indent=1))
    else:
        print(format_report(tallies, fields))
    return 1 if violates_contract(tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
