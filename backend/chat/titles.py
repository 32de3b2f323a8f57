"""Write the title of a conversation: by the model from the first question, or its first words."""

import asyncio
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from backend.completions.completion import Completion
from backend.conversations.conversation import derive_title
from backend.conversations.reader import Exchange, open_conversation
from backend.conversations.repository import ConversationRepository
from backend.errors import InvalidRequestError, SmolChatError
from backend.files.retrieval.question import is_stop_word
from backend.files.retrieval.words import word_forms
from backend.json_schema.json_in_text import json_candidates
from backend.json_values import as_dict, as_dict_list, as_str
from backend.model_server.answers.json_text import parse_json
from backend.model_server.answers.reasoning import separate
from backend.protocol import ExtensionOptions
from backend.state import AppState

MAX_TITLE_CHARACTERS = 60
MAX_SECONDS = 60.0
_MAX_TOKENS = 120  # 60 characters of any script, as JSON
_MAX_SHOWN_CHARACTERS = 1000  # of the question, to the model
_MAX_COMPARED_CHARACTERS = 8000  # of the question and of the answer
_MAX_REPEATED = 2  # times a word is in a title
_SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 2, "maxLength": MAX_TITLE_CHARACTERS},
    },
    "required": ["title"],
    "additionalProperties": False,
}
# A model of 135 million parameters names the topic of two questions in three when it sees how, and
# only the question: with the answer, or an instruction instead, it repeats these.
_EXAMPLES = (
    ("How many days does it take to fly to the moon?", '{"title": "Flight time to the moon"}'),
    ("I want to learn to bake bread with my son", '{"title": "Baking bread with a child"}'),
)


class WrittenTitle(BaseModel):
    """The title that a conversation has now."""

    title: Annotated[str, Field(max_length=200)]
    source: Annotated[
        Literal["model", "first_words", "kept"],
        Field(
            description="`model`: it was written now. `first_words`: those of the question. "
            "`kept`: it was neither before, or was changed meanwhile, and stays."
        ),
    ]
    reason: Annotated[str | None, Field(description="Why it is not the model's.")] = None


class UnusableTitleError(Exception):
    """Why a model's title is not used: a sentence."""


class TitleWriter:
    def __init__(self, state: AppState) -> None:
        self._state = state
        self._repository = ConversationRepository(state.database)

    async def write(self, conversation_id: str, model: str | None = None) -> WrittenTitle:
        """Write and store a title of at most 60 characters.

        The first words replace no title but theirs. A title that changes meanwhile stays.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
            InvalidRequestError: It has no question yet.
        """
        async with open_conversation(self._state.database, conversation_id) as conversation:
            before, exchange = conversation.fields, await conversation.first_exchange()
        if exchange is None:
            raise InvalidRequestError("There is no question in this conversation yet.")
        model = model or before.model or exchange.model or self._state.settings.model_id
        first_words = derive_title(exchange.question, MAX_TITLE_CHARACTERS)
        try:
            async with asyncio.timeout(MAX_SECONDS):
                title = _read_title(await self._ask(model, exchange.question), exchange)
            written = WrittenTitle(title=title, source="model")
        except (SmolChatError, UnusableTitleError, TimeoutError) as error:
            reason = _reason(error)
            written = WrittenTitle(title=first_words, source="first_words", reason=reason)
            if before.title not in ("", first_words, derive_title(exchange.question)):
                return WrittenTitle(title=before.title, source="kept", reason=reason)
        stored = await self._repository.replace_title(conversation_id, before.title, written.title)
        if stored != written.title:
            return WrittenTitle(title=stored, source="kept", reason="It was changed meanwhile.")
        return written

    async def _ask(self, model: str, question: str) -> bytes:
        body: dict[str, Any] = {"model": model, "messages": _messages(question)}
        json_schema = {"name": "title", "schema": _SCHEMA, "strict": True}
        body |= {"response_format": {"type": "json_schema", "json_schema": json_schema}}
        body |= {"max_tokens": _MAX_TOKENS, "temperature": 0, "stream": False}
        if self._state.model_server.discovery.is_llama_cpp:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        completion = Completion(
            body=body,
            options=ExtensionOptions(),
            model_server=self._state.model_server,
            queue=self._state.queue,
            metrics=self._state.metrics,
        )
        return await completion.read()


def _messages(question: str) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": "Answer with JSON only."}]
    for text, title in _EXAMPLES:
        messages.append({"role": "user", "content": _prompt(text)})
        messages.append({"role": "assistant", "content": title})
    return [*messages, {"role": "user", "content": _prompt(question[:_MAX_SHOWN_CHARACTERS])}]


def _prompt(text: str) -> str:
    return f"Text: {text}\nTitle?"


def _read_title(response: bytes, exchange: Exchange) -> str:
    """Return the title in a model server's response.

    Raises:
        UnusableTitleError: There is none, or it has nothing of the conversation.
    """
    [choice, *_] = [*as_dict_list(as_dict(parse_json(response)).get("choices")), {}]
    text, _ = separate(as_str(as_dict(choice.get("message")).get("content")))
    values = [as_dict(parse_json(candidate.encode())) for candidate in json_candidates(text)]
    titles = [" ".join(as_str(value.get("title")).split()) for value in values]
    title = next(filter(None, titles), "").strip("\"'“” ").rstrip(".")
    title = "".join(filter(str.isprintable, title))
    if not title:
        raise UnusableTitleError("The model wrote no title.")
    if not _is_about(title, exchange):
        raise UnusableTitleError("The model's title has nothing of the conversation.")
    if len(title) < MAX_TITLE_CHARACTERS:
        return title
    return derive_title(f"{title}…", MAX_TITLE_CHARACTERS)  # the schema has cut it off


def _is_about(title: str, exchange: Exchange) -> bool:
    """Return True if half of a title's words, or more, are in the question or the answer."""
    texts = exchange.question, exchange.answer
    known = {stem for text in texts for _, stem in word_forms(text[:_MAX_COMPARED_CHARACTERS])}
    stems = Counter(stem for form, stem in word_forms(title) if not is_stop_word(form))
    if not stems or max(stems.values()) > _MAX_REPEATED:
        return False
    return 2 * len(stems.keys() & known) >= len(stems)


def _reason(error: Exception) -> str:
    if isinstance(error, SmolChatError):
        return error.message
    return str(error) or f"The model took longer than {MAX_SECONDS:g} s."
