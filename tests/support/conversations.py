"""Stored conversations: how tests store and read them."""

from collections.abc import Iterable
from io import BytesIO
from tempfile import gettempdir

from backend.conversations.batches import Batches
from backend.conversations.conversation import Conversation, ConversationFields, Message
from backend.conversations.documents import ConversationDocuments, TextExport
from backend.conversations.imports.stored_rows import RowWriter, read_batch
from backend.conversations.repository import ConversationRepository
from backend.database.database import Database
from backend.database.tables import conversations, messages


async def store_conversation(
    repository: ConversationRepository, conversation: Conversation
) -> Conversation:
    """Store a conversation as an import does, and return it as it is stored."""
    rows = {conversations: BytesIO(), messages: BytesIO()}
    writer = RowWriter(rows[conversations], rows[messages], max_row_bytes=2**30)
    writer.write(conversation, conversation.messages)
    writer.flush()
    batches = Batches(database_of(repository))
    async with batches.adding() as batch:
        for table, file in rows.items():
            for line in file.getvalue().splitlines():
                await batches.insert(batch, table, read_batch(line, table))
    return await read_conversation(repository, writer.summaries[0].id)


async def read_conversation(
    repository: ConversationRepository, conversation_id: str
) -> Conversation:
    """Return a conversation as it is stored."""
    documents = ConversationDocuments(database_of(repository), gettempdir())
    with await documents.json(conversation_id) as file:
        file.seek(0)
        return Conversation.model_validate_json(file.read())


def database_of(repository: ConversationRepository) -> Database:
    return repository._database  # what the API's routes have beside it


def active_branch(conversation: Conversation) -> list[Message]:
    """Return the messages from the first one to `current`, or to the newest if that is null."""
    next_id = conversation.current or (conversation.messages or [Message(role="user")])[-1].id
    branch = []
    for message in reversed(conversation.messages):
        if message.id == next_id:
            branch.append(message)
            next_id = message.parent or ""
    return branch[::-1]


def render(export: TextExport, conversation: Conversation) -> str:
    """Return the active branch of a conversation as a document."""
    texts: Iterable[str] = map(export.message, active_branch(conversation))
    return export.start(conversation) + "".join(texts) + export.end()


class ConversationList:
    """A writer of an import that keeps the conversations."""

    def __init__(self) -> None:
        self.conversations: list[Conversation] = []

    def write(self, conversation: ConversationFields, added: Iterable[Message]) -> None:
        read = list(added)
        fields = conversation.model_dump(exclude={"messages"})
        self.conversations.append(Conversation(**fields, messages=read))
