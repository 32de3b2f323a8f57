"""How often a way of asking for JSON gets it: the same request, many times, each way.

Only numbers here: what is asked and how it is judged is in reliability_job.py.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import median
from typing import Any, Literal

import strict_json

Z_95 = 1.959964  # a normal variable is within so many standard deviations 95 % of the time

# "failed": the model server was lost meanwhile.
TrialOutcome = Literal["valid", "invalid", "truncated", "refused", "failed"]


@dataclass(frozen=True)
class Trial:
    """One request and what came of it."""

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
    """What the trials of one way come to; `low` and `high` bound the true share of valid ones."""

    method: str
    trials: int
    valid: int
    truncated: int
    low: float
    high: float
    median_seconds: float | None

    @property
    def valid_share(self) -> float:
        return self.valid / self.trials

    @property
    def truncated_share(self) -> float:
        return self.truncated / self.trials


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Bound the true share, with 95 % confidence; it also makes sense of 0 out of 10.

    https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    if not trials:
        return 0.0, 1.0
    share, weight = successes / trials, Z_95 * Z_95 / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = Z_95 * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low = 0.0 if successes == 0 else middle - reach
    high = 1.0 if successes == trials else middle + reach
    return low, high


def scores(trials: Sequence[Trial]) -> list[MethodScore]:
    """Score each way that was tried, in the order in which they were first tried."""
    ways = dict.fromkeys(trial.method for trial in trials)
    return [_score(way, [trial for trial in trials if trial.method == way]) for way in ways]


def _score(way: str, trials: list[Trial]) -> MethodScore:
    valid = [trial.seconds for trial in trials if trial.outcome == "valid"]
    low, high = wilson_interval(len(valid), len(trials))
    return MethodScore(
        method=way,
        trials=len(trials),
        valid=len(valid),
        truncated=sum(trial.outcome == "truncated" for trial in trials),
        low=low,
        high=high,
        median_seconds=median(valid) if valid else None,
    )


def to_json(trials: Sequence[Trial], requests: dict[str, Any]) -> str:
    """Write everything: what each way was asked, the scores, and each trial with its text."""
    return strict_json.format_json(
        {
            "requests": requests,
            "scores": [asdict(score) for score in scores(trials)],
            "trials": [asdict(trial) for trial in trials],
        }
    )


def to_csv(trials: Sequence[Trial]) -> str:
    """Write the trials as a table, without a model's words: a spreadsheet would run some."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(
        ["method", "number", "outcome", "seconds", "finish_reason", "attempts", "completion_tokens"]
    )
    for trial in trials:
        table.writerow(
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
    return written.getvalue()
