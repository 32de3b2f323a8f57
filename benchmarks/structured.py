"""How often an answer fits: `python -m benchmarks.structured`, or `make bench-structured`.

The same requests go to the API in three manners, by turns: JSON of any form, the schema as the
model server takes it (both by /chat), and /structured. Each answer is judged here, by the schema
that was asked for. Then /structured reads values from texts, which are compared with those that are
there. The model is the real one. Exit code 1: /structured gave an answer that does not fit.
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
PATIENCE_SECONDS = 300.0

Ask = Callable[[httpx.Client, dict[str, Any], dict[str, Any]], "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What became of one request; `text` is what was given out as the answer, if anything was."""

    status: int
    text: str | None
    is_truncated: bool
    code: str | None = None


@dataclass
class Tally:
    """All requests of one manner."""

    asked: int = 0
    json: int = 0
    valid: int = 0
    truncated: int = 0
    wrong: int = 0  # 200, and not valid
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome, schema: Any, seconds: float, name: str) -> None:
        is_json, is_valid = _judged(outcome.text, schema)
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
    """The values that were to be read from texts."""

    asked: int = 0
    right: int = 0
    mistakes: list[str] = field(default_factory=list)

    def count(self, text: str | None, expected: dict[str, Any]) -> None:
        found = json.loads(text or "{}")
        for name, value in expected.items():
            self.asked += 1
            self.right += found.get(name) == value
            if found.get(name) != value:
                self.mistakes.append(f"{name}: {found.get(name)!r} for {value!r}")


def json_object(client: httpx.Client, body: dict[str, Any], _schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": {"type": "json_object"}})


def json_schema(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    return _chat(client, body | {"response_format": _format(schema)})


def structured(client: httpx.Client, body: dict[str, Any], schema: dict[str, Any]) -> Outcome:
    answer = client.post("/structured", json=body | {"response_format": _format(schema)})
    told = answer.json()
    if answer.status_code == 200:
        return Outcome(200, json.dumps(told["parsed"]), is_truncated=False)
    code = told["error"]["code"]
    return Outcome(answer.status_code, None, code == "output_truncated", code)


MANNERS: dict[str, Ask] = {
    "json_object": json_object,
    "json_schema": json_schema,
    "structured": structured,
}


def measure(
    client: httpx.Client, cases: list[dict[str, Any]], seeds: int, manners: Iterable[str]
) -> dict[str, Tally]:
    """Ask everything in every manner, one after the other."""
    tallies = {name: Tally() for name in manners}
    for number, case in enumerate(cases):
        _tell(f"{number + 1} of {len(cases)} schemas")
        for seed in range(seeds):
            for name, tally in tallies.items():
                began = time.monotonic()
                outcome = MANNERS[name](client, _body(case["prompt"], seed), case["schema"])
                seconds = time.monotonic() - began
                tally.count(outcome, case["schema"], seconds, str(case.get("id", number)))
    return tallies


def read_values(client: httpx.Client, cases: list[dict[str, Any]], seeds: int) -> Fields:
    """Have /structured read the values from every text."""
    fields = Fields()
    for number, case in enumerate(cases):
        _tell(f"{number + 1} of {len(cases)} texts  ")
        for seed in range(seeds):
            outcome = structured(client, _body(case["text"], seed), case["schema"])
            fields.count(outcome.text, case["expected"])
    return fields


def violates_contract(tallies: dict[str, Tally]) -> bool:
    """Tell whether /structured gave an answer that does not fit."""
    return "structured" in tallies and tallies["structured"].wrong > 0


def in_words(tallies: dict[str, Tally], fields: Fields) -> str:
    """Write the report for people."""
    lines = [
        f"{'':14}{'asked':>7}{'JSON':>8}{'valid':>8}{'cut off':>9}{'200, wrong':>12}{'median':>9}"
    ]
    lines = lines if tallies else []
    lines += [_line(name, tally) for name, tally in tallies.items()]
    if {"json_schema", "structured"} <= set(tallies):
        medians = [
            statistics.median(tallies[name].seconds) for name in ("structured", "json_schema")
        ]
        lines.append(f"time of structured / json_schema: {medians[0] / medians[1]:.2f}")
    if "structured" in tallies and (failures := tallies["structured"].failures):
        lines.append(f"not answered: {', '.join(failures)}")
    if fields.asked:
        share = 100 * fields.right / fields.asked
        lines.append(f"values read from texts: {fields.right} of {fields.asked}, {share:.1f}%")
        lines += [f"  {mistake}" for mistake in fields.mistakes]
    return "\n".join(lines)


def _line(name: str, tally: Tally) -> str:
    shares = [100 * count / tally.asked for count in (tally.json, tally.valid, tally.truncated)]
    return (
        f"{name:14}{tally.asked:7}{shares[0]:7.1f}%{shares[1]:7.1f}%{shares[2]:8.1f}%"
        f"{tally.wrong:12}{statistics.median(tally.seconds):8.2f}s"
    )


def _chat(client: httpx.Client, body: dict[str, Any]) -> Outcome:
    answer = client.post("/chat", json=body)
    told = answer.json()
    if answer.status_code != 200:
        return Outcome(answer.status_code, None, is_truncated=False, code=told["error"]["code"])
    choice = told["choices"][0]
    return Outcome(200, choice["message"]["content"], choice["finish_reason"] == "length")


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def _judged(text: str | None, schema: Any) -> tuple[bool, bool]:
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


def _tell(progress: str) -> None:
    print(f"\r{progress}", end="", flush=True, file=sys.stderr)


def _lines(path: Path | None) -> list[dict[str, Any]]:
    written = path.read_text().splitlines() if path else []
    return [json.loads(line) for line in written if line.strip()]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.structured",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schemas", type=Path, help="lines of {schema, prompt}")
    parser.add_argument("--extractions", type=Path, help="lines of {schema, text, expected}")
    parser.add_argument("--seeds", type=int, default=3, help="times that each is asked (3)")
    parser.add_argument("--manners", nargs="+", choices=MANNERS, default=list(MANNERS))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args()
    if not asked.schemas and not asked.extractions:
        asked.schemas, asked.extractions = SCHEMAS, EXTRACTIONS
    return asked


def main() -> int:
    """Measure, and print the report."""
    asked = _asked()
    with running_engine() as engine:
        address = f"http://127.0.0.1:{engine.port}/engines/llama.cpp/v1"
        with (
            running_api(engine, {"DMR_BASE_URL": address}) as api,
            httpx.Client(
                base_url=f"http://127.0.0.1:{api.port}", timeout=PATIENCE_SECONDS
            ) as client,
        ):
            cases = _lines(asked.schemas)
            tallies = measure(client, cases, asked.seeds, asked.manners) if cases else {}
            fields = read_values(client, _lines(asked.extractions), asked.seeds)
    _tell("")
    if asked.json:
        found = {name: asdict(tally) for name, tally in tallies.items()}
        print(json.dumps(found | {"extractions": asdict(fields)}, indent=1))
    else:
        print(in_words(tallies, fields))
    return 1 if violates_contract(tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
