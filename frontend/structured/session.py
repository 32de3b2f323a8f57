"""What one tab of the Structured page has run: the latest output and the latest benchmark."""

from dataclasses import dataclass

import streamlit as st

from components.background_job import BackgroundJob, JobResult
from structured.benchmark_job import Experiment, ExperimentJob
from structured.stream_job import StructuredRun, StructuredStreamJob

_KEY = "structured_session"


@dataclass
class StructuredSession:
    """One object: Streamlit may end a callback at any use of its session state."""

    run: StructuredRun | None = None
    experiment: Experiment | None = None
    hint: str = ""
    _job: BackgroundJob | None = None

    @property
    def active(self) -> JobResult | None:
        results = (self.run, self.experiment)
        return next((result for result in results if result and not result.is_over), None)

    def start_run(self, job: StructuredStreamJob) -> None:
        self._job, self.run = job, job.run

    def start_experiment(self, job: ExperimentJob) -> None:
        self._job, self.experiment = job, job.experiment

    def stop(self) -> None:
        if self._job:
            self._job.stop()

    def wait(self, seconds: float) -> bool:
        """Wait for at most this long; return True if nothing is running."""
        return self._job is None or self._job.wait(seconds)


def current_session() -> StructuredSession:
    session: StructuredSession = st.session_state.setdefault(_KEY, StructuredSession())
    return session
