"""Serves the React page: its addresses, which are all the same document, and its files."""

from fastapi import APIRouter, HTTPException, Request, Response

from backend.web.build import PageFile, load_build

# Nothing from elsewhere, no inline scripts and styles, nothing evaluated.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_DOCUMENT = "index.html"
# The names of files contain a hash of what is in them.
_FOREVER = "public, max-age=31536000, immutable"
_REVALIDATED = "no-cache"

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/c/{conversation}")
@router.get("/app/{page:path}")
async def get_page(request: Request) -> Response:
    """Return the document of the page, which shows what its address names."""
    response = _respond(request, _DOCUMENT)
    response.headers["content-security-policy"] = CONTENT_SECURITY_POLICY
    response.headers["referrer-policy"] = "no-referrer"
    return response


@router.get("/assets/{name}")
async def get_file(request: Request) -> Response:
    """Return a file of the page."""
    return _respond(request, request.url.path.removeprefix("/"))


def _respond(request: Request, path: str) -> Response:
    file = load_build().get(path)
    if file is None:
        raise HTTPException(404)
    cache_control = _REVALIDATED if path == _DOCUMENT else _FOREVER
    headers = {"etag": file.etag, "cache-control": cache_control, "vary": "Accept-Encoding"}
    if _is_current(request, file):
        return Response(status_code=304, headers=headers)
    coding, content = file.select(request.headers.get("accept-encoding", ""))
    if coding:
        headers["content-encoding"] = coding
    return Response(content, media_type=file.media_type, headers=headers)


def _is_current(request: Request, file: PageFile) -> bool:
    """Return True if the client has this file. A proxy may have weakened the tag."""
    tags = request.headers.get("if-none-match", "").split(",")
    return file.etag in {tag.strip().removeprefix("W/") for tag in tags}
