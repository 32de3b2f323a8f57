"""HTTP route of the images in stored messages."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.state import AppStateDep

router = APIRouter(prefix="/images", tags=["conversations"], responses=DATABASE_RESPONSES)

_HEADERS = {
    # It never changes under its hash, and is nobody else's.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_IMAGE = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{sha256}",
    response_class=Response,
    responses=error_responses(404)
    | {
        200: {
            "description": "The image, as the model was sent it.",
            "content": {"image/png": _IMAGE, "image/jpeg": _IMAGE},
        }
    },
)
async def read_image(
    sha256: Annotated[str, Path(max_length=64, description="The hash in the URL of its part.")],
    state: AppStateDep,
) -> Response:
    """Return an image of a stored message, by the hash of its bytes."""
    image, data = await state.images.store.get(sha256)
    return Response(data, headers=_HEADERS, media_type=image.media_type)
