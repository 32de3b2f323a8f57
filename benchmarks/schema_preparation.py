"""Measures how many schemas the API can prepare for a model, how well, and how fast.

The model server is a fake whose answers never fit, so a request takes little longer than
its preparation. The error names the schema that was sent to the model.
"""

import random
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema_rs

from benchmarks.processes import running_api, running_model_server
from benchmarks.schema_instances import random_instance

INSTANCES = 30  # of each prepared schema
TIMEOUT_SECONDS = 30.0


@dataclass
class Preparation:
    """The counts of all schemas, prepared for answers of at most `max_tokens`."""

    max_tokens: int
    asked: int = 0
    prepared: int = 0
    sound: int = 0  # all of whose random instances are valid against the requested schema
    judged: int = 0  # by a validator, which some requested schemas do not have
    instances: int = 0
    valid_instances: int = 0
    seconds: list[float] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)

    def count(self, schema: Any, sent: Any, seconds: float, code: str) -> None:
        """Count one schema; `sent` is the prepared one, or None if it was refused with `code`."""
        self.asked += 1
        self.seconds.append(seconds)
        if sent is None:
            self.refusals[code] = self.refusals.get(code, 0) + 1
            return
        self.prepared += 1
        try:
            validator = jsonschema_rs.validator_for(schema, validate_formats=True)
        except ValueError:
            return
        rng = random.Random(7)  # noqa: S311
        valid = sum(validator.is_valid(random_instance(sent, rng)) for _ in range(INSTANCES))
        self.judged += 1
        self.sound += valid == INSTANCES
        self.instances += INSTANCES
        self.valid_instances += valid

    def __str__(self) -> str:
        milliseconds = sorted(1000 * seconds for seconds in self.seconds)
        p95 = milliseconds[int(0.95 * (len(milliseconds) - 1))]
        refusals = ", ".join(f"{code} {count}" for code, count in self.refusals.items())
        return (
            f"prepared for {self.max_tokens} tokens: {self.prepared} of {self.asked}, "
            f"{_percent(self.prepared, self.asked)}; refused: {refusals or 'none'}\n"
            f"  all of {INSTANCES} random instances valid: {_percent(self.sound, self.judged)}; "
            f"instances: {_percent(self.valid_instances, self.instances)}\n"
            f"  ms: median {statistics.median(milliseconds):.0f}, p95 {p95:.0f}, "
            f"worst {milliseconds[-1]:.0f}"
        )


def measure_preparation(cases: list[dict[str, Any]], max_tokens: int) -> Preparation:
    """Have the API prepare every schema, one after another."""
    preparation = Preparation(max_tokens)
    settings = {"SMOLCHAT_STRUCTURED_ATTEMPTS": "1"}
    with (
        running_model_server() as model_server,
        running_api(model_server, settings) as api,
        httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=TIMEOUT_SECONDS) as client,
    ):
        for case in cases[:1]:  # the API learns what the model server can do
            _prepare(client, case, max_tokens)
        for case in cases:
            started_at = time.monotonic()
            sent, code = _prepare(client, case, max_tokens)
            preparation.count(case["schema"], sent, time.monotonic() - started_at, code)
    return preparation


def _prepare(client: httpx.Client, case: dict[str, Any], max_tokens: int) -> tuple[Any, str]:
    """Return the schema that the model gets, or None, and the code of the error."""
    json_schema = {"name": "answer", "schema": case["schema"]}
    body = {
        "messages": [{"role": "user", "content": case["prompt"]}],
        "max_tokens": max_tokens,
        "response_format": {"type": "json_schema", "json_schema": json_schema},
    }
    payload = client.post("/structured", json=body).json()
    if "error" not in payload:  # the fake's answer matches the schema
        return payload["answers"][0]["sent"]["schema"], ""
    error = payload["error"]
    return error["sent"]["schema"] if "sent" in error else None, error["code"]


def _percent(part: int, total: int) -> str:
    return f"{100 * part / max(total, 1):.1f}%"
