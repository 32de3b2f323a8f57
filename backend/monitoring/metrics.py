"""HTTP route that exposes the metrics to Prometheus."""

from fastapi import APIRouter, Response

from backend.completions.metrics import CONTENT_TYPE
from backend.state import AppStateDep

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: AppStateDep) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(state.metrics.render(), media_type=CONTENT_TYPE)
