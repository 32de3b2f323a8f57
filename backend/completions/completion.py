"""A request's way to its answer: through the line, past a model that is loading, to the receipt."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from backend.completions.choices import Joining, parts
from backend.completions.metrics import Measures
from backend.completions.queue import Line, Place
from backend.completions.receipt import NUMBERS, Watch
from backend.completions.upstream_request import llama_cpp_fields, with_one_system_message
from backend.errors import ChatTemplateError, ModelLoadingError, SmolChatError, TooManyChoicesError
from backend.model_server.client import LOADING_POLL_SECONDS, Upstream
from backend.model_server.sse import DONE, chunk_of_ours, events
from backend.protocol import SmolchatOptions


class Answering:
    """Gives the pieces of an answer: of a stream its events, else the whole answer as one."""

    def __init__(
        self,
        body: dict[str, Any],
        options: SmolchatOptions,
        *,
        upstream: Upstream,
        line: Line,
        measures: Measures,
    ) -> None:
        self._body = body
        self._options = options
        self._upstream = upstream
        self._line = line
        self._measures = measures
        self._is_stream = bool(body.get("stream"))
        self._tells_progress = self._is_stream and options.progress
        self._tells = self._tells_progress or options.receipt or options.is_stored
        self._most_choices = body.get("n", 1)
        self._phase = ""
        self._asked = 0.0  # when the turn had come
        self._answer: AsyncGenerator[bytes]
        self._first = b""
        self._watch = Watch(body["model"], seed=body.get("seed"), choices=body.get("n", 1))

    async def pieces(self, kept: Place | None = None) -> AsyncGenerator[bytes]:
        """Wait, ask, and pass on; in a place that is `kept` for more than this, or in a new one.

        Raises:
            SmolChatError: there is no answer, or it ended before it was whole.
        """
        place = kept or self._line.place(is_alone=self._options.deterministic)
        try:
            async for event in self._waited(place):
                yield event
            async for event in self._begun():
                yield event
            is_unseen = self._is_stream and not self._tells  # what tells of it has seen it
            async with aclosing(self._answer):
                if is_unseen:
                    self._watch.see(self._first)
                yield self._first
                async for piece in self._answer:
                    if is_unseen and (self._watch.first_token_seconds is None or NUMBERS in piece):
                        self._watch.see(piece)
                    yield piece
            self._measures.observe_completion(
                first_token_seconds=self._watch.first_token_seconds,
                prompt_tokens=self._watch.prompt_tokens,
                completion_tokens=self._watch.completion_tokens,
            )
        except SmolChatError as error:
            self._measures.count_error(error)
            raise
        finally:
            if not kept:
                place.leave()

    def receipt(self) -> dict[str, Any]:
        """Give what the answer has cost so far."""
        self._watch.context_size = self._upstream.context_size(self._watch.model)
        self._watch.model_digest = self._upstream.digest(self._watch.model)
        return self._watch.receipt().model_dump()

    async def _waited(self, place: Place) -> AsyncGenerator[bytes]:
        """Wait for the turn and for the model; tell of both."""
        began = time.monotonic()
        if not place.is_running:
            async for position in place.positions():
                if self._tells_progress:
                    yield self._progress("waiting", position=position)
        self._asked = time.monotonic()
        self._watch.queue_seconds = self._asked - began
        if loading := await self._upstream.loading(self._body["model"]):
            if self._tells_progress:
                yield self._progress("loading")
            await asyncio.shield(loading)
            self._watch.load_seconds = time.monotonic() - self._asked
        if self._upstream.is_llama_cpp:
            self._body |= llama_cpp_fields(self._body, self._options)

    async def _begun(self) -> AsyncGenerator[bytes]:
        """Ask until an answer begins: again while the model loads, and as it wants to be asked."""
        while not self._first:
            self._answer = self._asked_for()
            try:
                self._first = await anext(self._answer)
            except ModelLoadingError:
                if time.monotonic() - self._asked > self._upstream.patience_seconds:
                    raise
                if self._tells_progress and self._phase != "loading":
                    yield self._progress("loading")
                await asyncio.sleep(LOADING_POLL_SECONDS)
                self._watch.load_seconds = time.monotonic() - self._asked
            except (ChatTemplateError, TooManyChoicesError) as error:
                self._amend(error)

    def _amend(self, error: ChatTemplateError | TooManyChoicesError) -> None:
        """Make the request one that this model server takes, or raise what it said."""
        if isinstance(error, TooManyChoicesError):
            if error.most >= self._most_choices:
                raise error
            self._most_choices = error.most
            return
        merged = with_one_system_message(self._body["messages"])
        if merged == self._body["messages"]:
            raise error
        self._body["messages"] = merged

    def _asked_for(self) -> AsyncGenerator[bytes]:
        if not self._is_stream:
            return self._whole()
        is_in_parts = self._most_choices < self._watch.choices
        answer = self._in_parts() if is_in_parts else self._upstream.stream(self._body)
        return self._told(answer) if self._tells else answer

    async def _whole(self) -> AsyncGenerator[bytes]:
        joining = Joining()
        for first, body in parts(self._body, self._most_choices):
            raw, answer = await self._upstream.complete(body)
            joining.add(answer, first)
        self._watch.read(joining.whole)
        if joining.parts > 1:
            raw = to_json(joining.whole)
        if self._options.receipt:
            raw = raw.rstrip()[:-1] + b',"smolchat":' + to_json(self._receipt()) + b"}"
        yield raw

    async def _in_parts(self) -> AsyncGenerator[bytes]:
        """Ask as often as it takes to get all the answers that were asked for."""
        joining = Joining()
        for first, body in parts(self._body, self._most_choices):
            async with aclosing(self._upstream.stream(body)) as pieces:
                async for piece in pieces:
                    if renumbered := joining.renumbered(piece, first):
                        yield renumbered
        yield joining.end()

    async def _told(self, answer: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Pass the events on, and add what the request's options want to be told."""
        async with aclosing(answer) as pieces:
            async for piece in pieces:
                self._watch.see(piece)
                if self._tells_progress and self._phase != "writing":
                    for event in self._progress_of(piece):
                        yield event
                if self._options.receipt and piece.endswith(DONE):
                    yield piece.removesuffix(DONE) + self._event(self._receipt()) + DONE
                else:
                    yield piece

    def _receipt(self) -> dict[str, Any]:
        return {"receipt": self.receipt()}

    def _progress_of(self, piece: bytes) -> list[bytes]:
        """Tell what is new: how much of the prompt has been read, or that there is a token."""
        if self._watch.first_token_seconds is not None:
            return [self._progress("writing")]
        fractions = [] if b'"prompt_progress"' not in piece else _fractions(piece)
        return [self._progress("reading", fraction=fraction) for fraction in fractions]

    def _progress(self, phase: str, **known: float) -> bytes:
        self._phase = phase
        return self._event({"progress": {"phase": phase} | known})

    def _event(self, told: dict[str, Any]) -> bytes:
        return chunk_of_ours(self._watch.model, told)


def _fractions(piece: bytes) -> list[float]:
    """Read how much of the prompt has been read, as llama.cpp tells it."""
    found = []
    for event in events(piece):
        if isinstance(told := event.get("prompt_progress"), dict):
            done, total = told.get("processed"), told.get("total")
            if isinstance(done, int) and isinstance(total, int) and 0 <= done <= total > 0:
                found.append(done / total)
    return found
