"""Prepare the images of a chat request, and store those of its question."""

from typing import Any

from backend.images.images import RequestImages, newest_question
from backend.protocol import ChatCompletionRequest, ContentPart
from backend.state import AppState


async def prepare_images(
    request: ChatCompletionRequest, body: dict[str, Any], state: AppState
) -> RequestImages | None:
    """Prepare the images in `body`, the request to the model server, if there are any.

    If the chat is stored, the question in `request` then refers to its images, which are stored.

    Raises:
        SmolChatError: An image cannot be sent or stored.
    """
    images = await state.images.prepare(body["model"], body["messages"])
    if images and request.smolchat and request.smolchat.conversation is not None:
        number = newest_question(body["messages"])
        await state.images.store.add(images.new_images(number))
        question = request.messages[number]
        if question.role == "user" and isinstance(question.content, list):
            stored = images.as_stored(number, question.model_dump(exclude_unset=True))
            question.content = [ContentPart.model_validate(part) for part in stored["content"]]
    return images
