"""Read one chat of a file as a conversation, with limits on what is parsed at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from backend.conversations.conversation import (
    BrokenTreeError,
    Conversation,
    ConversationFields,
    Message,
    MessageTreeCheck,
)
from backend.conversations.formats.chatgpt import is_chatgpt, read_chatgpt
from backend.conversations.formats.imported_chat import ImportedChat, UnusableChatError
from backend.conversations.formats.llama_cpp import is_llama_cpp, read_llama_cpp
from backend.conversations.formats.lm_studio import is_lm_studio, read_lm_studio
from backend.conversations.formats.open_webui import is_open_webui, read_open_webui
from backend.conversations.formats.openai_messages import is_openai_messages, read_openai_messages
from backend.conversations.imports.json_scanner import JsonSyntaxError, array_items, object_members
from backend.conversations.imports.limits import ImportLimits
from backend.http.json_route import MAX_VALIDATION_ERRORS, parse_strict_json
from backend.json_limits import has_too_many_values
from backend.json_values import as_dict, as_str
from backend.model_server.answers.json_text import dump_json, parse_json

# The first that recognizes an entry reads it. The plainest format comes last.
_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], ImportedChat]], ...] = (
    (is_llama_cpp, read_llama_cpp),
    (is_chatgpt, read_chatgpt),
    (is_lm_studio, read_lm_studio),
    (is_open_webui, read_open_webui),
    (is_openai_messages, read_openai_messages),
)
_MAX_TITLE_BYTES = 10_000

Model = TypeVar("Model", bound=BaseModel)


class UnknownFormatError(UnusableChatError):
    """An entry of a file that no format recognizes."""


class UnreadableJsonError(Exception):
    """An entry of a file is not JSON."""


@dataclass(frozen=True)
class Chat:
    """A conversation's fields, its messages, and what is missing in them.

    Reading the messages may raise UnusableChatError.
    """

    conversation: ConversationFields
    messages: Iterable[Message]
    missing: str = ""


class Entry(Protocol):
    """A chat of a file, not yet parsed."""

    def read(self, limits: ImportLimits) -> Chat:
        """Read it.

        Raises:
            UnusableChatError: It cannot be imported.
            UnreadableJsonError: It is not JSON.
        """

    def title(self) -> str:
        """Return the title of a chat that could not be read, or an empty string."""


@dataclass(frozen=True)
class SmolChatEntry:
    """A conversation of an export of SmolChat, of which one message at a time is parsed."""

    text: bytes
    number: int

    def read(self, limits: ImportLimits) -> Chat:
        if not self.text.startswith(b"{"):  # raises: it is not an object
            self._validate(ConversationFields, parse_entry(self.text, limits))
        members = object_members(self.text, 0)
        start, end = members.pop("messages", (0, 0))
        pairs = [dump_json(name) + b":" + self.text[a:b] for name, (a, b) in members.items()]
        fields = parse_entry(b"{" + b",".join(pairs) + b"}", limits)
        if end and not self.text.startswith(b"[", start):  # raises: they are not a list
            fields["messages"] = parse_entry(self.text[start:end], limits)
            self._validate(Conversation, fields)
        conversation = self._validate(ConversationFields, fields)
        spans = array_items(self.text, start) if end else iter(())
        return Chat(conversation, self._messages(conversation, spans, limits))

    def title(self) -> str:
        return find_title(self.text)

    def _messages(
        self,
        conversation: ConversationFields,
        spans: Iterator[tuple[int, int]],
        limits: ImportLimits,
    ) -> Iterator[Message]:
        check, param = MessageTreeCheck(), f"conversations.{self.number}"
        try:
            for number, (start, end) in enumerate(spans):
                limits.check_messages(number + 1)
                fields = parse_entry(self.text[start:end], limits)
                message = self._validate(Message, fields, "messages", number)
                check.add(message)
                yield message
            check.finish(conversation)
        except BrokenTreeError as error:
            raise UnusableChatError(f"{param}: {error}.", param=param) from None

    def _validate(self, model: type[Model], fields: Any, *location: str | int) -> Model:
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            if error.error_count() > MAX_VALIDATION_ERRORS:  # too many to list
                reason = f"{error.error_count():,} of its fields are invalid."
                raise UnusableChatError(reason) from None
            detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
            param = ".".join(map(str, ("conversations", self.number, *location, *detail["loc"])))
            reason = detail["msg"].removeprefix("Value error, ")
            raise UnusableChatError(f"{param}: {reason}.", param=param) from None


@dataclass(frozen=True)
class ForeignEntry:
    """A chat of another program: one text, or a session whose messages are on other lines."""

    text: bytes
    session: "Session | None" = None
    is_line: bool = False  # of JSON Lines, of which some may be broken

    def read(self, limits: ImportLimits) -> Chat:
        value = (parse_line if self.is_line else parse_entry)(self.text, limits)
        if self.session:
            value = {"conv": value, "messages": self.session.messages(limits)}
        if (read := chat_reader(value)) is None:
            raise UnknownFormatError("It is not a chat in a known format.")
        chat = read(value)
        del value  # its memory is needed
        conversation = chat.to_conversation(limits.check_messages)
        return Chat(conversation, conversation.messages, chat.left_out_parts())

    def title(self) -> str:
        return find_title(self.text)


@dataclass
class Session:
    """The records of a session's messages in an export of llama.cpp's web UI."""

    records: list[bytes] = field(default_factory=list)
    count: int = 0

    def add(self, record: bytes, limits: ImportLimits) -> None:
        """Add a record; beyond the limit, they are only counted."""
        self.count += 1
        if self.count <= limits.max_messages:
            self.records.append(record)

    def messages(self, limits: ImportLimits) -> list[Any]:
        """Parse the messages.

        Raises:
            UnusableChatError: They are too many, or have too many values.
        """
        limits.check_messages(self.count)
        if has_too_many_values(b",".join(self.records), limits.max_values):
            raise limits.too_many_values()
        return [as_dict(parse_line(record, limits)).get("message") for record in self.records]


def chat_reader(value: Any) -> Callable[[Any], ImportedChat] | None:
    """Return the function that reads a chat of this format, or None."""
    return next((read for is_format, read in _READERS if is_format(value)), None)


def parse_entry(text: bytes, limits: ImportLimits) -> Any:
    """Parse a part of a file as strict JSON.

    Unpaired surrogates become U+FFFD, and infinite numbers null.

    Raises:
        UnusableChatError: It has too many values.
        UnreadableJsonError: It is not JSON.
    """
    if has_too_many_values(text, limits.max_values):
        raise limits.too_many_values()
    try:
        return parse_strict_json(text)
    except ValueError as error:
        if (value := parse_json(text)) is None:
            raise UnreadableJsonError(str(error)) from None
        return parse_json(dump_json(value))


def parse_line(text: bytes, limits: ImportLimits) -> Any:
    """Parse a line as `parse_entry` does; one that is not JSON is None."""
    try:
        return parse_entry(text, limits)
    except UnreadableJsonError:
        return None


def find_title(text: bytes, *, is_nested: bool = False) -> str:
    """Return the title of a chat that could not be read, or an empty string."""
    try:
        members = object_members(text, 0) if text.startswith(b"{") else {}
        for name in ("title", "name"):
            start, end = members.get(name, (0, 0))
            if title := as_str(parse_json(text[start : min(end, start + _MAX_TITLE_BYTES)])):
                return title
        if is_nested:
            return ""
        spans = (members[name] for name in ("chat", "conv") if name in members)
        titles = (find_title(text[start:end], is_nested=True) for start, end in spans)
        return next(filter(None, titles), "")
    except JsonSyntaxError:
        return ""
