"""Answer a chat request from files: by quotes, or by a model that is given what to read."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from backend.chat.citation_writer import CitationWriter
from backend.chat.file_messages import plain_history, read_question, with_question
from backend.chat.quoted_completion import QuotedCompletion
from backend.chat.summary_completion import SummaryCompletion
from backend.completions.completion import Completion
from backend.completions.history import continued_answer
from backend.completions.schema_check import SCHEMA_FIELDS
from backend.completions.upstream_request import token_limit
from backend.errors import InvalidRequestError
from backend.files.answers.answers import FileAnswers
from backend.files.answers.content import QuotedAnswer, nothing_found
from backend.files.answers.mentions import read_phrase
from backend.files.answers.prompts import passages_prompt, summary_prompt, whole_prompt
from backend.files.answers.protocol import Retrieval
from backend.files.answers.question import FileQuestion
from backend.files.answers.tokens import estimate_tokens
from backend.files.answers.whole_files import too_long
from backend.files.retrieval.search import Hit
from backend.files.retrieval.support import SimilarSentences
from backend.json_values import as_dict, content_text
from backend.model_server.answers.message_builder import MessageBuilder
from backend.model_server.answers.reasoning_separator import ReasoningSeparator
from backend.model_server.model_sizes import parameter_count
from backend.protocol import ChatExtensionOptions, FileSearchOptions
from backend.state import AppState

_SMALL_MODEL = 1e9  # parameters; smaller ones make less of passages than quotes have
_DEFAULT_CONTEXT = 4096  # tokens, if the model server does not say: Docker Model Runner's own
_SERVER_SECONDS = 1.0  # how long a request waits for what the model server says about the model
_ANSWER_TOKENS = 1024  # that are left for the answer, or a quarter of the context
_MESSAGE_TOKENS = 8  # of a template, for each message
_PROMPT_TOKENS = 128  # of what is sent with the passages
_TOKENS_PER_WORD = 2  # as they are estimated
_MIN_WORDS, _MAX_WORDS = 120, 1200  # of all passages
_MAX_PART_TOKENS = 4096  # of a part that is summarized
_ONE_ANSWER = "A question to files gets one answer. Omit n."
_ONLY_TEXT = "An answer from files is text, which no schema or grammar constrains. Omit them."
_QUOTES_CONTINUED = "Quotes are complete: there is nothing to continue. End with a user message."

Mode = Literal["whole", "passages", "quotes"]


async def answer_from_files(
    body: dict[str, Any],
    options: ChatExtensionOptions,
    search: FileSearchOptions,
    state: AppState,
    answers: FileAnswers,
) -> Completion:
    """Return the completion that answers the last user message of `body` from files.

    Raises:
        SmolChatError: The request cannot be answered.
    """
    files = await answers.select(search)
    _check_request(body)
    question = read_question(body["messages"], files)
    chat = FileChat(body, options, state, answers, question)
    match search.task:
        case "mentions" | "count" as task:
            phrase = read_phrase(search.phrase, question.text)
            return chat.quoted(lambda: answers.find_mentions(question, task, phrase))
        case "first" | "last" as edge:
            return chat.quoted(lambda: answers.quote_edges(question, edge, search.n))
        case "summarise":
            return await chat.summarize()
    return await chat.answer(search.mode)


@dataclass(frozen=True)
class FileChat:
    """One request with its question to files."""

    body: dict[str, Any]
    options: ChatExtensionOptions
    state: AppState
    answers: FileAnswers
    question: FileQuestion

    async def answer(self, mode: Literal["auto", "whole", "passages", "quotes"]) -> Completion:
        """Return the completion that answers the question itself."""
        if mode == "auto" and await self._is_small_model():
            mode = "quotes"
        if mode == "quotes":
            searched = await self.answers.find_passages(self.question, "quotes")
            return self.quoted(_ready(searched.quotes()))
        context = await self._context_size()
        if mode in ("auto", "whole"):
            if whole := await self.answers.read_whole(self.question, context // 2):
                prompt = whole_prompt(whole[0], self.question.files.names, self.question.typed)
                return await self._asked(prompt, *whole)
            if mode == "whole":
                raise too_long(context // 2)
        return await self._answer_from_passages(context)

    async def summarize(self) -> Completion:
        """Return the completion that summarizes all of the text."""
        context = await self._context_size()
        tokens = min(context // 2, _MAX_PART_TOKENS)
        parts, retrieval = await self.answers.split_parts(self.question, tokens)
        if not parts:
            return self.quoted(_ready(nothing_found(retrieval)))
        completion = SummaryCompletion(
            parts=parts,
            part_tokens=tokens,
            ask=lambda text: [
                {"role": "user", "content": summary_prompt(text, self.question.typed)}
            ],
            **self._completion_fields(),
        )
        self._cite(completion, retrieval, None).total_usage = completion.total_usage
        return completion

    def quoted(self, prepare: Callable[[], Awaitable[QuotedAnswer]]) -> Completion:
        """Return the completion whose text no model writes.

        Raises:
            InvalidRequestError: The request wants an answer to be continued.
        """
        if continued_answer(self.body["messages"]):
            raise InvalidRequestError(_QUOTES_CONTINUED, param="messages")
        return QuotedCompletion(prepare=prepare, **self._completion_fields())

    async def _answer_from_passages(self, context: int) -> Completion:
        tokens = self._free_tokens(context)
        words = min(max(tokens // _TOKENS_PER_WORD, _MIN_WORDS), _MAX_WORDS)
        searched = await self.answers.find_passages(
            self.question, "passages", max_words=words, max_tokens=tokens
        )
        if not searched.is_answered:
            return self.quoted(_ready(nothing_found(searched.retrieval)))
        prompt = passages_prompt(searched.hits, self.question.files.names, self.question.typed)
        return await self._asked(prompt, searched.hits, searched.retrieval)

    async def _asked(self, prompt: str, hits: list[Hit], retrieval: Retrieval) -> Completion:
        """Return the completion of a model that reads these passages."""
        messages = plain_history(self.body["messages"])
        self.body["messages"] = with_question(messages, prompt)
        completion = Completion(**self._completion_fields())
        sentences = await asyncio.to_thread(SimilarSentences, hits)
        self._cite(completion, retrieval, sentences)
        return completion

    def _cite(
        self, completion: Completion, retrieval: Retrieval, sentences: SimilarSentences | None
    ) -> CitationWriter:
        prefix = continued_answer(self.body["messages"])
        writer = CitationWriter(
            completion,
            self.question,
            retrieval,
            sentences,
            MessageBuilder(prefix, self.state.model_server.limits),
            ReasoningSeparator(prefix) if self.options.separate_reasoning else None,
        )
        completion.separator = writer
        return writer

    def _completion_fields(self) -> dict[str, Any]:
        return {
            "body": self.body,
            "options": self.options,
            "model_server": self.state.model_server,
            "queue": self.state.queue,
            "metrics": self.state.metrics,
        }

    async def _is_small_model(self) -> bool:
        """Return True unless the model is known to have a billion parameters or more."""
        await self._ask_server()
        discovery = self.state.model_server.discovery
        parameters = parameter_count(self.body["model"], discovery)
        return parameters is None or parameters < _SMALL_MODEL

    async def _context_size(self) -> int:
        await self._ask_server()
        sizes = self.state.model_server.context_sizes
        return sizes.get(self.body["model"]) or _DEFAULT_CONTEXT

    async def _ask_server(self) -> None:
        """Let the model server say what it knows of the model, unless it was just asked."""
        if task := self.state.model_server.context_sizes.start_check(self.body["model"]):
            await asyncio.wait({task}, timeout=_SERVER_SECONDS)

    def _free_tokens(self, context: int) -> int:
        """Return how many tokens of the context are left for passages."""
        answer = min(token_limit(self.body) or _ANSWER_TOKENS, context // 4)
        texts = [content_text(message.get("content")) for message in self.body["messages"]]
        history = sum(estimate_tokens(text) + _MESSAGE_TOKENS for text in texts)
        return context - answer - history - _PROMPT_TOKENS


def _check_request(body: dict[str, Any]) -> None:
    """Check that a request wants one text.

    Raises:
        InvalidRequestError: It does not.
    """
    if body.get("n", 1) > 1:
        raise InvalidRequestError(_ONE_ANSWER, param="n")
    for name in sorted((SCHEMA_FIELDS - {"tools"}) & body.keys()):
        if as_dict(body[name]).get("type") != "text":
            raise InvalidRequestError(_ONLY_TEXT, param=name)


def _ready(answer: QuotedAnswer) -> Callable[[], Awaitable[QuotedAnswer]]:
    async def prepare() -> QuotedAnswer:
        return answer

    return prepare
