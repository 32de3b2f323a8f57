"""Benchmark results: how often each method of requesting JSON returns valid output.

Statistics and export only. `benchmark_job` sends the requests and validates the output.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import median
from typing import Any, Literal

import strict_json

Z_95 = 1.959964  # standard deviations around the mean that hold 95% of a normal distribution

# "refused": the request was rejected. "failed": the API or the model server could not answer it.
TrialOutcome = Literal["valid", "invalid", "truncated", "refused", "failed"]


@dataclass(frozen=True)
class Trial:
    """One request and its outcome."""

    method: str
    number: int
    outcome: TrialOutcome
    seconds: float
    finish_reason: str | None = None
    attempts: int = 1
    completion_tokens: int | None = None
    text: str = ""
    fault: str = ""


@dataclass(frozen=True)
class MethodScore:
    """Score of one method; `low` and `high` are the 95% confidence interval of `valid_share`.

    `fault` is the most frequent reason why its output was not valid, if it was not always.
    """

    method: str
    trials: int
    valid: int
    truncated: int
    low: float
    high: float
    median_seconds: float | None
    fault: str = ""

    @property
    def valid_share(self) -> float:
        return self.valid / self.trials

    @property
    def truncated_share(self) -> float:
        return self.truncated / self.trials


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% confidence interval of a share; also meaningful for 0 of 10.

    https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    if not trials:
        return 0.0, 1.0
    share, weight = successes / trials, Z_95 * Z_95 / trials
    center = (share + weight / 2) / (1 + weight)
    margin = Z_95 * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low = 0.0 if successes == 0 else center - margin
    high = 1.0 if successes == trials else center + margin
    return low, high


def scores(trials: Sequence[Trial]) -> list[MethodScore]:
    """Score each method, in the order of their first trial."""
    methods = dict.fromkeys(trial.method for trial in trials)
    return [
        _score(method, [trial for trial in trials if trial.method == method]) for method in methods
    ]


def _score(method: str, trials: list[Trial]) -> MethodScore:
    valid_seconds = [trial.seconds for trial in trials if trial.outcome == "valid"]
    low, high = wilson_interval(len(valid_seconds), len(trials))
    faults = Counter(trial.fault for trial in trials if trial.outcome != "valid")
    return MethodScore(
        method=method,
        trials=len(trials),
        valid=len(valid_seconds),
        truncated=sum(trial.outcome == "truncated" for trial in trials),
        low=low,
        high=high,
        median_seconds=median(valid_seconds) if valid_seconds else None,
        fault=faults.most_common(1)[0][0] if faults else "",
    )


def to_json(trials: Sequence[Trial], requests: dict[str, Any]) -> str:
    """Export everything: the request of each method, the scores, and each trial with its output."""
    return strict_json.format_json(
        {
            "requests": requests,
            "scores": [asdict(score) for score in scores(trials)],
            "trials": [asdict(trial) for trial in trials],
        }
    )


def to_csv(trials: Sequence[Trial]) -> str:
    """Export the trials as CSV, without output, which a spreadsheet could run as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(
        ["method", "number", "outcome", "seconds", "finish_reason", "attempts", "completion_tokens"]
    )
    for trial in trials:
        writer.writerow(
            [
                trial.method,
                trial.number,
                trial.outcome,
                f"{trial.seconds:.3f}",
                trial.finish_reason,
                trial.attempts,
                trial.completion_tokens,
            ]
        )
    return buffer.getvalue()
