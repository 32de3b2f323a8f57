"""What is counted while the API runs, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from backend.completions.queue import RequestQueue
from backend.errors import ModelServerError, SmolChatError

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# From an answer out of the cache to a model that is loaded first, in seconds.
FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The counters of one API; each has its own, so that two in a process do not mix."""

    def __init__(self, line: RequestQueue) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "smolchat_requests",
            "Requests that have ended.",
            ("route", "status"),
            registry=registry,
        )
        self._first_token = Histogram(
            "smolchat_first_token_seconds",
            "From a request for a stream to its first token.",
            buckets=FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self._prompt = Counter(
            "smolchat_prompt_tokens", "Tokens of prompts, where they were told.", registry=registry
        )
        self._completion = Counter(
            "smolchat_completion_tokens",
            "Tokens of answers, where they were told.",
            registry=registry,
        )
        self._errors = Counter(
            "smolchat_model_server_errors",
            "Answers that the model server failed to give.",
            ("code",),
            registry=registry,
        )
        running = Gauge(
            "smolchat_running", "Requests that the model server has now.", registry=registry
        )
        running.set_function(lambda: line.running)
        waiting = Gauge("smolchat_waiting", "Requests that wait in line.", registry=registry)
        waiting.set_function(lambda: line.waiting)
        self._known: dict[tuple[str, int], Counter] = {}  # looking a label up costs more than this

    def count_request(self, route: str, status: int) -> None:
        """Count a request by its route's path as it is declared, and its status."""
        counter = self._known.get((route, status))
        if counter is None:
            counter = self._known[route, status] = self._requests.labels(route, str(status))
        counter.inc()

    def observe_completion(
        self,
        *,
        first_token_seconds: float | None,
        prompt_tokens: int | None,
        completion_tokens: int | None,
    ) -> None:
        """Count a finished completion; None is a number that the model server did not report."""
        if first_token_seconds is not None:
            self._first_token.observe(first_token_seconds)
        self._prompt.inc(prompt_tokens or 0)
        self._completion.inc(completion_tokens or 0)

    def count_model_server_error(self, error: SmolChatError) -> None:
        """Count a failure if it was the model server's."""
        if isinstance(error, ModelServerError):
            self._errors.labels(error.code).inc()

    def render(self) -> bytes:
        """Give all of it in Prometheus' text format."""
        return generate_latest(self._registry)
