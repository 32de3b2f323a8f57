"""Statistics of the database and the receipts of recent answers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository
from backend.database.database import open_database
from backend.errors import DatabaseUnavailableError
from backend.monitoring.statistics import DatabaseStatistics
from backend.settings import Settings
from tests.support.conversations import store_conversation
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


async def test_last_fifty_finished_answers_are_collected(tmp_path: Path) -> None:
    async with open_database(Settings(model_id=MODEL_ID, data_dir=tmp_path)) as database:
        await _insert_answers(ConversationRepository(database))
        statistics = await DatabaseStatistics(database).collect(5)
    assert statistics.messages == 62
    assert [answer.receipt for answer in statistics.answers] == [
        {"model": "m", "total_ms": number} for number in range(59, 9, -1)
    ]


async def _insert_answers(repository: ConversationRepository) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    answers = [
        Message(
            role="assistant",
            state="finished",
            receipt={"model": "m", "total_ms": number},
            updated_at=start.replace(second=number),
        )
        for number in range(60)
    ]
    ignored = [Message(role="assistant", state="failed", receipt={}), Message(role="user")]
    await store_conversation(repository, Conversation(messages=[*answers, *ignored]))


async def test_close_cancels_a_running_query(database_settings: Settings) -> None:
    async with open_database(database_settings) as database:
        statistics = DatabaseStatistics(database)
        with pytest.raises(DatabaseUnavailableError, match="busy"):
            await statistics.collect(0)
        await statistics.close()
