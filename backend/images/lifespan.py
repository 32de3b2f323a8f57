"""Delete the images that no message has any more, as long as the API runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from backend.database.database import Database
from backend.errors import SmolChatError
from backend.images.store import ImageStore

_CLEANUP_SECONDS = 60.0  # between two looks for what another process has left

logger = logging.getLogger(__name__)


@asynccontextmanager
async def cleaning_up(database: Database, store: ImageStore) -> AsyncIterator[None]:
    """Delete unused images until the end of the block: at once when messages are deleted here."""
    task = asyncio.create_task(_clean_up(database, store))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _clean_up(database: Database, store: ImageStore) -> None:
    while True:
        database.messages_deleted.clear()
        try:
            await store.discard_unused()
            await store.discard_abandoned()
        except SmolChatError:
            pass  # it is in the log
        except OSError as error:
            logger.error("Images that are left cannot be deleted: %s", error)  # noqa: TRY400
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLEANUP_SECONDS):
                await database.messages_deleted.wait()
