"""How often an answer fits: `python -m benchmarks.structured`, or `make bench-structured`.

The same requests go to the API in three manners, by turns: JSON of any form, the schema as the
model server takes it (both by /chat), and /structured. Each answer is judged here, by the schema
that was asked for. The model is the real one.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from benchmarks.processes import ROOT, Program, running_api, running_engine

SCHEMAS = ROOT / "tests" / "schemas.jsonl"
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
    api: Program, cases: list[dict[str, Any]], seeds: int, manners: Iterable[str]
) -> dict[str, Tally]:
    """Ask everything in every manner, one after the other."""
    tallies = {name: Tally() for name in manners}
    with httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=PATIENCE_SECONDS) as client:
        for number, case in enumerate(cases):
            print(f"\r{number + 1} of {len(cases)}", end="", flush=True)
            for seed in range(seeds):
                for name, tally in tallies.items():
                    messages = [{"role": "user", "content": case["prompt"]}]
                    body = {"messages": messages, "seed": seed + 1, "max_tokens": MAX_TOKENS}
                    body["temperature"] = TEMPERATURE
                    began = time.monotonic()
                    outcome = MANNERS[name](client, body, case["schema"])
                    seconds = time.monotonic() - began
                    tally.count(outcome, case["schema"], seconds, str(case.get("id", number)))
    print("\r", end="")
    return tallies


def in_words(tallies: dict[str, Tally]) -> str:
    lines = [
        f"{'':14}{'asked':>7}{'JSON':>8}{'valid':>8}{'cut off':>9}{'200, wrong':>12}{'median':>9}"
    ]
    for name, tally in tallies.items():
        shares = [100 * count / tally.asked for count in (tally.json, tally.valid, tally.truncated)]
        median = statistics.median(tally.seconds)
        lines.append(
            f"{name:14}{tally.asked:7}{shares[0]:7.1f}%{shares[1]:7.1f}%{shares[2]:8.1f}%"
            f"{tally.wrong:12}{median:8.2f}s"
        )
    if {"json_schema", "structured"} <= set(tallies):
        medians = [
            statistics.median(tallies[name].seconds) for name in ("structured", "json_schema")
        ]
        lines.append(f"time of structured / json_schema: {medians[0] / medians[1]:.2f}")
    return "\n".join(lines)


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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.structured",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schemas", type=Path, default=SCHEMAS, help="lines of {schema, prompt}")
    parser.add_argument("--seeds", type=int, default=3, help="times that each is asked (3)")
    parser.add_argument("--manners", nargs="+", choices=MANNERS, default=list(MANNERS))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args()
    cases = [json.loads(line) for line in asked.schemas.read_text().splitlines() if line.strip()]
    with running_engine() as engine:
        address = f"http://127.0.0.1:{engine.port}/engines/llama.cpp/v1"
        with running_api(engine, {"DMR_BASE_URL": address}) as api:
            tallies = measure(api, cases, asked.seeds, asked.manners)
    if asked.json:
        print(json.dumps({name: asdict(tally) for name, tally in tallies.items()}, indent=1))
        return
    print(in_words(tallies))
    for name, tally in tallies.items():
        if name == "structured" and tally.failures:
            print(f"not answered: {', '.join(tally.failures)}")


if __name__ == "__main__":
    main()
