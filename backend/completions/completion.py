"""Run one chat completion: queue, wait for the model to load, stream, record usage."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_core import to_json

from backend.completions.choices import (
    ChoiceMerger,
    split_request,
    stream_without_usage,
    without_usage,
)
from backend.completions.metrics import Metrics
from backend.completions.queue import QueueSlot, RequestQueue
from backend.completions.receipt import USAGE_MARKER, UsageTracker
from backend.completions.upstream_request import (
    added_fields,
    merge_system_messages,
    refused_fields,
)
from backend.errors import (
    ChatTemplateError,
    ContextLengthExceededError,
    InvalidRequestError,
    ModelLoadingError,
    SmolChatError,
    TooManyChoicesError,
    UnsupportedContentError,
)
from backend.images.images import RequestImages
from backend.json_values import as_count, as_dict
from backend.model_server.answers.json_text import dump_json
from backend.model_server.answers.sse import DONE, extension_chunk, parse_events
from backend.model_server.client import ModelServerClient
from backend.model_server.loading import MODEL_LOAD_POLL_SECONDS
from backend.protocol import ExtensionOptions

_RETRIED_ERRORS = (ModelLoadingError, InvalidRequestError)


class ResponseRewriter(Protocol):
    """Changes what a client gets, such as where the reasoning is."""

    def rewrite(self, event: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """Return the events to send in place of an event of a stream."""

    def rewrite_response(self, response: dict[str, Any]) -> None:
        """Change a whole response in place."""


@dataclass(kw_only=True)
class Completion:
    """One request for a completion, streamed or not.

    A caller of `stream` may hold one slot for several completions, by default each has its own.
    `on_event` gets each event of the model server's stream as JSON, or its whole response;
    `extensions` are added to the `smolchat` object of a whole response.
    """

    body: dict[str, Any]  # what the client sends to the model server
    options: ExtensionOptions
    model_server: ModelServerClient
    queue: RequestQueue
    metrics: Metrics
    wants_usage: bool = False  # also where the client did not ask for it
    on_event: Callable[[dict[str, Any]], None] | None = None
    images: RequestImages | None = None  # those in the messages of the body
    separator: ResponseRewriter | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)  # that are stored with the answer
    started_at: float = field(default_factory=time.monotonic)
    usage: UsageTracker = field(init=False)  # set by `stream`
    _asked_at: float = 0.0  # when the request had left the queue
    _phase: str = ""  # the last one that the client was sent as progress
    _sends_progress: bool = False
    _max_choices: int = 0  # per request, if the model server has a limit
    _added: dict[str, Any] = field(default_factory=dict)  # sent besides the body
    _refused: set[str] = field(default_factory=set)  # what the model server did not take of these

    async def stream(self, held_slot: QueueSlot | None = None) -> AsyncGenerator[bytes]:
        """Yield the events of a stream as they come, or the whole response as one chunk.

        Raises:
            SmolChatError: The model server failed or the stream ended early.
        """
        body, options, server = self.body, self.options, self.model_server
        is_stream = bool(body.get("stream"))
        self.usage = usage = UsageTracker(
            body["model"],
            choices=body.get("n", 1),
            requires_tool_call=body.get("tool_choice") not in (None, "none", "auto"),
            started_at=self.started_at,
        )
        self._sends_progress = is_stream and options.progress
        is_extended = is_stream and bool(
            options.receipt or options.progress or self.on_event or self.separator
        )
        slot = held_slot or self.queue.enqueue(exclusive=options.deterministic)
        try:
            async for event in self._wait_until_ready(slot):
                yield event
            chunk = b""
            while not chunk:
                sent = body | self._added
                usage.seed = sent.get("seed")
                open_stream = self._stream_choices if usage.choices > 1 else server.stream
                try:
                    chunks = open_stream(sent) if is_stream else self._complete(sent)
                    chunk = await anext(chunks)
                except _RETRIED_ERRORS as error:
                    async for event in self._prepare_retry(error):
                        yield event
            self._remember_refused()
            async with aclosing(chunks):
                while chunk:
                    if is_extended:
                        chunk = self._extend(chunk)
                    elif is_stream and (usage.first_token_seconds is None or USAGE_MARKER in chunk):
                        usage.observe(chunk)
                    yield chunk
                    chunk = await anext(chunks, b"")
            self.metrics.observe_completion(usage)
        except SmolChatError as error:
            self.metrics.count_model_server_error(error)
            raise
        finally:
            if not held_slot:
                slot.release()

    async def read(self, held_slot: QueueSlot | None = None) -> bytes:
        """Return the whole response.

        Raises:
            SmolChatError: The model server failed or the stream ended early.
        """
        async with aclosing(self.stream(held_slot)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    def receipt(self) -> dict[str, Any]:
        """Return what the completion has cost so far."""
        model = self.usage.model
        self.usage.context_size = self.model_server.context_sizes.get(model)
        self.usage.model_digest = self.model_server.digest(model)
        receipt = self.usage.receipt().model_dump()
        return receipt | ({"images": self.images.report()} if self.images else {})

    def sent_fields(self) -> dict[str, Any]:
        """Return the request as it is sent to the model server."""
        return self.body | self._added

    async def _wait_until_ready(self, slot: QueueSlot) -> AsyncGenerator[bytes]:
        """Wait for the slot and for the model to load; yield progress events."""
        queued_at = time.monotonic()
        if not slot.is_running:
            async for position in slot.positions():
                if self._sends_progress:
                    yield self._progress_event("waiting", position=position)
        self._asked_at = time.monotonic()
        self.usage.queue_seconds = self._asked_at - queued_at
        if load_task := await self.model_server.loader.load_task(self.body["model"]):
            if self._sends_progress:
                yield self._progress_event("loading")
            await asyncio.shield(load_task)
            self.usage.load_seconds = time.monotonic() - self._asked_at
        self._added = added_fields(
            self.body, self.options, self.model_server, wants_usage=self.wants_usage
        )

    async def _prepare_retry(self, error: SmolChatError) -> AsyncGenerator[bytes]:
        """Wait while the model loads, or change the request so that the model server takes it.

        Raises:
            SmolChatError: `error`, if trying again would not help.
        """
        if isinstance(error, InvalidRequestError):
            if not self._change_request(error):
                raise error
            return
        if time.monotonic() - self._asked_at > self.model_server.load_timeout_seconds:
            raise error
        if self._sends_progress and self._phase != "loading":
            yield self._progress_event("loading")
        await asyncio.sleep(MODEL_LOAD_POLL_SECONDS)
        self.usage.load_seconds = time.monotonic() - self._asked_at

    def _change_request(self, error: InvalidRequestError) -> bool:
        """Change what the model server refused; return False if it is the client's to change."""
        if isinstance(error, TooManyChoicesError):
            is_fewer: bool = error.max_choices < (self._max_choices or self.usage.choices)
            self._max_choices = error.max_choices
            return is_fewer
        if isinstance(error, UnsupportedContentError):
            return self.images is not None and self.images.replace_older(self.body["messages"])
        if isinstance(error, ChatTemplateError):
            messages = merge_system_messages(self.body["messages"])
            is_changed: bool = messages != self.body["messages"]
            self.body["messages"] = messages
            return is_changed
        refused = refused_fields(
            error,
            self.body,
            self._added,
            knows_fields=self.model_server.discovery.is_llama_cpp,
        )
        for name in refused:
            del self._added[name]
        if not isinstance(error, ContextLengthExceededError):  # the next prompt may be shorter
            self._refused |= refused
        return bool(refused)

    def _remember_refused(self) -> None:
        """Remember the fields without which the model server took the request."""
        if self._refused:
            cache, model = self.model_server.refused_fields, self.body["model"]
            cache[model] = cache.get(model, frozenset()) | self._refused

    async def _complete(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Yield the whole response, merged if the model server has a limit on choices."""
        if self._max_choices:
            merger, size = ChoiceMerger(), 0
            for first_index, part in split_request(body, self._max_choices):
                part_raw, response = await self.model_server.complete(part)
                size += len(part_raw)
                self.model_server.limits.check_bytes(size)
                merger.add(response, first_index)
            raw, response = to_json(merger.merged), merger.merged
        else:
            raw, response = await self.model_server.complete(body)
            if self.usage.choices > 1 and self.model_server.discovery.is_llama_cpp:
                response = without_usage(response)
                raw = dump_json(response)
        self.usage.update(response)
        if self.on_event:
            self.on_event(response)
        if self.separator:
            self.separator.rewrite_response(response)
            raw = dump_json(response)
        extensions = ({"receipt": self.receipt()} if self.options.receipt else {}) | self.extensions
        if extensions:
            raw = raw.rstrip()[:-1] + b',"smolchat":' + to_json(extensions) + b"}"
        yield raw

    async def _stream_choices(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Yield a stream of several choices, made of several if the model server has a limit."""
        parts = split_request(body, self._max_choices) if self._max_choices else [(0, body)]
        hides_usage = len(parts) == 1 and self.model_server.discovery.is_llama_cpp
        merger = ChoiceMerger()
        for first_index, part in parts:
            async with aclosing(self.model_server.stream(part)) as chunks:
                async for chunk in chunks:
                    if len(parts) > 1:
                        if reindexed := merger.reindex(chunk, first_index):
                            yield reindexed
                    else:
                        yield stream_without_usage(chunk) if hides_usage else chunk
        if len(parts) > 1:
            yield merger.finish()

    def _extend(self, chunk: bytes) -> bytes:
        """Record a chunk of the stream; return it with the extensions that were asked for."""
        reports_progress = self._sends_progress and self._phase != "writing"
        reads_events = reports_progress or self.on_event or self.separator
        events = list(parse_events(chunk)) if reads_events else None
        self.usage.observe(chunk, events)
        if self.on_event:
            for event in events or ():
                self.on_event(event)
        if self.separator and events:
            end = DONE if chunk.endswith(DONE) else b""
            separated = (each for event in events for each in self.separator.rewrite(event))
            chunk = b"".join(b"data: " + dump_json(each) + b"\n\n" for each in separated) + end
        if reports_progress:
            chunk = self._progress_events(events or ()) + chunk
        if self.options.receipt and chunk.endswith(DONE):
            receipt = self._extension_event({"receipt": self.receipt()})
            chunk = chunk.removesuffix(DONE) + receipt + DONE
        return chunk

    def _progress_events(self, events: Iterable[dict[str, Any]]) -> bytes:
        """Return what is new: how much of the prompt was processed, or that there is a token."""
        if self.usage.first_token_seconds is not None:
            return self._progress_event("writing")
        return b"".join(
            self._progress_event("reading", fraction=fraction)
            for event in events
            if (fraction := _prompt_progress(event)) is not None
        )

    def _progress_event(self, phase: str, **numbers: float) -> bytes:
        self._phase = phase
        report = {"progress": {"phase": phase} | numbers}
        if self.on_event:
            self.on_event({"smolchat": report})
        return self._extension_event(report)

    def _extension_event(self, extensions: dict[str, Any]) -> bytes:
        return extension_chunk(self.usage.model, extensions)


def _prompt_progress(event: dict[str, Any]) -> float | None:
    """Return the share of the prompt that was processed, as llama.cpp reports it, or None."""
    progress = as_dict(event.get("prompt_progress"))
    processed, total = as_count(progress.get("processed")), as_count(progress.get("total"))
    if processed is None or not total or processed > total:
        return None
    return processed / total
