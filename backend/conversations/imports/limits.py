"""The limits of an import, as they are passed to the process that reads the file."""

from dataclasses import dataclass
from typing import Self

from backend.conversations.formats.imported_chat import UnusableChatError
from backend.errors import InvalidRequestError
from backend.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """What a file may have. Each check raises an error that names the setting."""

    max_bytes: int  # unpacked
    max_values: int  # of JSON that is parsed at once: a chat, or a message of a SmolChat export
    max_message_bytes: int
    max_messages: int  # of a conversation
    max_total: int  # of the file: conversations and messages

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            max_bytes=settings.max_import_bytes,
            max_values=settings.max_import_values,
            max_message_bytes=settings.max_import_message_bytes,
            max_messages=settings.max_conversation_messages,
            max_total=settings.max_import_messages,
        )

    def too_many_values(self) -> UnusableChatError:
        return UnusableChatError(
            f"It has more than {self.max_values:,} JSON values (SMOLCHAT_MAX_IMPORT_VALUES)."
        )

    def check_messages(self, count: int) -> None:
        """Check the number of messages of one conversation.

        Raises:
            UnusableChatError: There are too many.
        """
        if count > self.max_messages:
            raise UnusableChatError(
                f"It has more than {self.max_messages:,} messages "
                "(SMOLCHAT_MAX_CONVERSATION_MESSAGES)."
            )

    def check_total(self, count: int) -> None:
        """Check the number of conversations and messages of the file.

        Raises:
            InvalidRequestError: There are too many.
        """
        if count > self.max_total:
            raise InvalidRequestError(
                f"The file has more than {self.max_total:,} conversations and messages "
                "(SMOLCHAT_MAX_IMPORT_MESSAGES). Import it in several parts."
            )
