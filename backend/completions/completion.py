"""A request's way to its answer: through the line, past a model that is loading, to the receipt."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.completions.choices import ChoiceMerger, split_request
from backend.completions.metrics import Metrics
from backend.completions.queue import QueueSlot, RequestQueue
from backend.completions.receipt import USAGE_MARKER, UsageTracker
from backend.completions.upstream_request import llama_cpp_fields, merge_system_messages
from backend.errors import ChatTemplateError, ModelLoadingError, SmolChatError, TooManyChoicesError
from backend.model_server.client import MODEL_LOAD_POLL_SECONDS, ModelServerClient
from backend.model_server.sse import DONE, extension_chunk, parse_events
from backend.protocol import ExtensionOptions


class Completion:
    """Gives the pieces of an answer: of a stream its events, else the whole answer as one."""

    def __init__(
        self,
        body: dict[str, Any],
        options: ExtensionOptions,
        *,
        upstream: ModelServerClient,
        line: RequestQueue,
        measures: Metrics,
    ) -> None:
        self._body = body
        self._options = options
        self._upstream = upstream
        self._line = line
        self._measures = measures
        self._is_stream = bool(body.get("stream"))
        self._reports_progress = self._is_stream and options.progress
        self._adds_extensions = self._reports_progress or options.receipt or options.is_stored
        self._max_choices = body.get("n", 1)
        self._phase = ""
        self._started_at = 0.0  # when the turn had come
        self._chunks: AsyncGenerator[bytes]
        self._first_chunk = b""
        self._usage = UsageTracker(body["model"], seed=body.get("seed"), choices=body.get("n", 1))

    async def stream(self, kept: QueueSlot | None = None) -> AsyncGenerator[bytes]:
        """Wait, ask, and pass on; in a place that is `kept` for more than this, or in a new one.

        Raises:
            SmolChatError: there is no answer, or it ended before it was whole.
        """
        place = kept or self._line.enqueue(is_alone=self._options.deterministic)
        try:
            async for event in self._wait_for_turn(place):
                yield event
            async for event in self._send_with_retries():
                yield event
            is_unseen = (
                self._is_stream and not self._adds_extensions
            )  # what tells of it has seen it
            async with aclosing(self._chunks):
                if is_unseen:
                    self._usage.observe(self._first_chunk)
                yield self._first_chunk
                async for piece in self._chunks:
                    if is_unseen and (
                        self._usage.first_token_seconds is None or USAGE_MARKER in piece
                    ):
                        self._usage.observe(piece)
                    yield piece
            self._measures.observe_completion(
                first_token_seconds=self._usage.first_token_seconds,
                prompt_tokens=self._usage.prompt_tokens,
                completion_tokens=self._usage.completion_tokens,
            )
        except SmolChatError as error:
            self._measures.count_model_server_error(error)
            raise
        finally:
            if not kept:
                place.release()

    def receipt(self) -> dict[str, Any]:
        """Give what the answer has cost so far."""
        self._usage.context_size = self._upstream.context_size(self._usage.model)
        self._usage.model_digest = self._upstream.digest(self._usage.model)
        return self._usage.receipt().model_dump()

    async def _wait_for_turn(self, place: QueueSlot) -> AsyncGenerator[bytes]:
        """Wait for the turn and for the model; tell of both."""
        began = time.monotonic()
        if not place.is_running:
            async for position in place.positions():
                if self._reports_progress:
                    yield self._progress_event("waiting", position=position)
        self._started_at = time.monotonic()
        self._usage.queue_seconds = self._started_at - began
        if loading := await self._upstream.load_task(self._body["model"]):
            if self._reports_progress:
                yield self._progress_event("loading")
            await asyncio.shield(loading)
            self._usage.load_seconds = time.monotonic() - self._started_at
        if self._upstream.is_llama_cpp:
            self._body |= llama_cpp_fields(self._body, self._options)

    async def _send_with_retries(self) -> AsyncGenerator[bytes]:
        """Ask until an answer begins: again while the model loads, and as it wants to be asked."""
        while not self._first_chunk:
            self._chunks = self._open_response()
            try:
                self._first_chunk = await anext(self._chunks)
            except ModelLoadingError:
                if time.monotonic() - self._started_at > self._upstream.load_timeout_seconds:
                    raise
                if self._reports_progress and self._phase != "loading":
                    yield self._progress_event("loading")
                await asyncio.sleep(MODEL_LOAD_POLL_SECONDS)
                self._usage.load_seconds = time.monotonic() - self._started_at
            except (ChatTemplateError, TooManyChoicesError) as error:
                self._adapt_request(error)

    def _adapt_request(self, error: ChatTemplateError | TooManyChoicesError) -> None:
        """Make the request one that this model server takes, or raise what it said."""
        if isinstance(error, TooManyChoicesError):
            if error.max_choices >= self._max_choices:
                raise error
            self._max_choices = error.max_choices
            return
        merged = merge_system_messages(self._body["messages"])
        if merged == self._body["messages"]:
            raise error
        self._body["messages"] = merged

    def _open_response(self) -> AsyncGenerator[bytes]:
        if not self._is_stream:
            return self._complete()
        is_in_parts = self._max_choices < self._usage.choices
        answer = self._stream_in_batches() if is_in_parts else self._upstream.stream(self._body)
        return self._with_extensions(answer) if self._adds_extensions else answer

    async def _complete(self) -> AsyncGenerator[bytes]:
        joining = ChoiceMerger()
        for first, body in split_request(self._body, self._max_choices):
            raw, answer = await self._upstream.complete(body)
            joining.add(answer, first)
        self._usage.update(joining.merged)
        if joining.parts > 1:
            raw = to_json(joining.merged)
        if self._options.receipt:
            raw = raw.rstrip()[:-1] + b',"smolchat":' + to_json(self._receipt()) + b"}"
        yield raw

    async def _stream_in_batches(self) -> AsyncGenerator[bytes]:
        """Ask as often as it takes to get all the answers that were asked for."""
        joining = ChoiceMerger()
        for first, body in split_request(self._body, self._max_choices):
            async with aclosing(self._upstream.stream(body)) as pieces:
                async for piece in pieces:
                    if renumbered := joining.reindex(piece, first):
                        yield renumbered
        yield joining.finish()

    async def _with_extensions(self, answer: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Pass the events on, and add what the request's options want to be told."""
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                self._usage.observe(piece)
                if self._reports_progress and self._phase != "writing":
                    for event in self._progress_events(piece):
                        yield event
                if self._options.receipt and piece.endswith(DONE):
                    yield piece.removesuffix(DONE) + self._extension_event(self._receipt()) + DONE
                else:
                    yield piece

    def _receipt(self) -> dict[str, Any]:
        return {"receipt": self.receipt()}

    def _progress_events(self, piece: bytes) -> list[bytes]:
        """Tell what is new: how much of the prompt has been read, or that there is a token."""
        if self._usage.first_token_seconds is not None:
            return [self._progress_event("writing")]
        fractions = [] if b'"prompt_progress"' not in piece else _prompt_progress(piece)
        return [self._progress_event("reading", fraction=fraction) for fraction in fractions]

    def _progress_event(self, phase: str, **known: float) -> bytes:
        self._phase = phase
        return self._extension_event({"progress": {"phase": phase} | known})

    def _extension_event(self, told: dict[str, Any]) -> bytes:
        return extension_chunk(self._usage.model, told)


def _prompt_progress(piece: bytes) -> list[float]:
    """Read how much of the prompt has been read, as llama.cpp tells it."""
    found = []
    for event in parse_events(piece):
        if isinstance(told := event.get("prompt_progress"), dict):
            done, total = told.get("processed"), told.get("total")
            if isinstance(done, int) and isinstance(total, int) and 0 <= done <= total > 0:
                found.append(done / total)
    return found
