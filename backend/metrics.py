"""What the API has counted since it started."""

from fastapi import APIRouter, Response

from backend.dependencies import AppStateDep
from backend.measures import CONTENT_TYPE

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: AppStateDep) -> Response:
    """Give the counters in Prometheus' text format."""
    return Response(state.metrics.text(), media_type=CONTENT_TYPE)
