"""Images that are added to a message, and whether the selected model takes them."""

from collections.abc import Sequence

from streamlit.runtime.uploaded_file_manager import UploadedFile

from api.client import Model
from api.errors import ApiError
from chat.question import Part, Question, new_image
from components.service_status import ServiceStatus, service_status
from controls import model_picker

TEXT_ONLY = "This model takes no images."
_MAX_NAMED = 3


def split_images(
    files: Sequence[UploadedFile],
) -> tuple[list[Part], list[UploadedFile]]:
    """Return the images among the files of a message as content parts, and the other files."""
    images = [file for file in files if (file.type or "").startswith("image/")]
    others = [file for file in files if file not in images]
    return [new_image(file.name, file.type, file.getvalue()) for file in images], others


def takes_images(status: ServiceStatus) -> bool | None:
    """Return whether the selected model takes images, or None if that is not known."""
    selected = model_picker.selected_model() or (status.health.model if status.health else None)
    named = [each for each in status.models if each.id == selected]
    # A server with one model, such as llama.cpp's, runs it under any name.
    models = named or (status.models if len(status.models) == 1 else [])
    return _takes_images(models[0]) if models else None


def check_images(question: Question) -> None:
    """Check that the model takes the images of a question, before it is sent.

    Raises:
        ApiError: It takes none; the message names models that do.
    """
    status = service_status()
    if not question.images or takes_images(status) is not False:
        return
    names = [each.id for each in status.models if _takes_images(each)][:_MAX_NAMED]
    choice = f"Choose one that does: {', '.join(names)}." if names else "Choose one that does."
    raise ApiError(TEXT_ONLY, choice, code="unsupported_content")


def _takes_images(model: Model) -> bool | None:
    return None if model.smolchat.input is None else "image" in model.smolchat.input
