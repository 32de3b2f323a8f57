"""Prometheus metrics of the API."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from backend.completions.active_answers import ActiveAnswers
from backend.completions.queue import RequestQueue
from backend.completions.receipt import UsageTracker
from backend.errors import ModelServerError, SmolChatError

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# In seconds: from a cached prompt to a model that has to be loaded first.
FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one app; each app has a registry of its own."""

    def __init__(self, queue: RequestQueue, answers: ActiveAnswers) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "smolchat_requests", "Requests that ended.", ("route", "status"), registry=registry
        )
        self._first_token = Histogram(
            "smolchat_first_token_seconds",
            "Time from a streaming request to its first token.",
            buckets=FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self._prompt_tokens = Counter(
            "smolchat_prompt_tokens", "Prompt tokens, where reported.", registry=registry
        )
        self._completion_tokens = Counter(
            "smolchat_completion_tokens", "Completion tokens, where reported.", registry=registry
        )
        self._errors = Counter(
            "smolchat_model_server_errors",
            "Completions that the model server failed to give.",
            ("code",),
            registry=registry,
        )
        running = Gauge(
            "smolchat_running", "Requests that the model server is working on.", registry=registry
        )
        running.set_function(lambda: queue.running)
        waiting = Gauge("smolchat_waiting", "Requests in the queue.", registry=registry)
        waiting.set_function(lambda: queue.waiting)
        detached = Gauge(
            "smolchat_detached",
            "Answers in progress that go on without their clients.",
            registry=registry,
        )
        detached.set_function(lambda: answers.detached)
        self._request_counters: dict[tuple[str, int], Counter] = {}  # cheaper than `labels`

    def count_request(self, route: str, status: int) -> None:
        """Count a request by its route's declared path and its status."""
        counter = self._request_counters.get((route, status))
        if counter is None:
            counter = self._requests.labels(route, str(status))
            self._request_counters[route, status] = counter
        counter.inc()

    def observe_completion(self, usage: UsageTracker) -> None:
        """Record a finished completion, as far as the model server reported its numbers."""
        if usage.first_token_seconds is not None:
            self._first_token.observe(usage.first_token_seconds)
        self._prompt_tokens.inc(usage.prompt_tokens or 0)
        self._completion_tokens.inc(usage.completion_tokens or 0)

    def count_model_server_error(self, error: SmolChatError) -> None:
        """Count an error by its code, if it was the model server's."""
        if isinstance(error, ModelServerError):
            self._errors.labels(error.code).inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
