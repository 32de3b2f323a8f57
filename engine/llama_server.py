"""The model's process: llama.cpp's own HTTP server, for as long as the supervisor lives.

It never deletes the server object, which can hang: SIGTERM or the supervisor's exit ends it.
"""

import ctypes
import fcntl
import os
import select
import signal
import sys
import time

import xllamacpp  # type: ignore[import-untyped]

from engine.child_protocol import EXIT_MODEL_NOT_LOADED, READY, ServeConfig

# llama.cpp checks for disconnected clients between batches. With the default of 2048, a prompt of
# 6,000 tokens kept the machine busy for 7 s after the disconnect; with this, for 1 s.
BATCH_TOKENS = 192
# By default, the prompt cache in memory grows to 8 GiB.
PROMPT_CACHE_MIB = 96
# Each open stream holds a thread. With the default (twice the slots), requests that wait for a slot
# take all of them, and then even /models does not respond.
HTTP_THREADS = 64
ERRORS_ONLY = 1
# A thread of llama.cpp prints its log, and no exit waits for it: the reason of a failure got lost.
LOG_SECONDS = 0.5
# glibc keeps the fragmented memory of many long concurrent requests: 60 of 1 MB left 2.7 GB
# allocated; with trimming 340 MB, as when idle. Fewer arenas lower the peak of 32 requests of
# 150 KB from 600 to 540 MB. Neither has a measurable cost in time.
TRIM_SECONDS = 5.0
ARENAS = 2
TRIM_BYTES = 128 << 10
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1  # glibc's malloc.h


def main() -> None:
    # Ctrl-C reaches the whole process group; only the supervisor acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _exit_with_parent()
    _limit_malloc_arenas()
    try:
        _server = xllamacpp.Server(_parameters(ServeConfig.from_json(sys.argv[1])))
    except RuntimeError:
        time.sleep(LOG_SECONDS)
        os._exit(EXIT_MODEL_NOT_LOADED)
    try:
        print(READY, flush=True)
        # The pipe becomes readable when the supervisor exits, however that happens.
        while not select.select([sys.stdin], [], [], TRIM_SECONDS)[0]:
            _trim_memory()
    finally:  # even if READY cannot be printed because the supervisor is gone
        os._exit(0)


def _limit_malloc_arenas() -> None:
    """Configure glibc's malloc before there are threads; other C libraries have no such options."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, ARENAS)
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def _trim_memory() -> None:
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _exit_with_parent() -> None:
    """Make the kernel end this process when the pipe from the supervisor closes.

    A thread could not: loading a model holds the interpreter lock. Only Linux ends a process by
    SIGIO; elsewhere the process exits after the model is loaded.
    """
    if sys.platform == "linux":
        pipe = sys.stdin.fileno()
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([pipe], [], [], 0)[0]:  # already closed: no signal follows
            os._exit(0)


def _parameters(config: ServeConfig) -> "xllamacpp.CommonParams":
    parameters = xllamacpp.CommonParams()
    parameters.model.path = config.path
    parameters.model_alias = {config.model_id}
    parameters.hostnames = [config.host]
    parameters.port = config.port
    parameters.n_ctx = config.context
    parameters.n_parallel = config.parallel
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = config.threads
    _match_docker_model_runner(parameters)
    # Each takes seconds at start on a busy machine, and saves none later.
    parameters.warmup = parameters.fit_params = False
    parameters.verbosity = ERRORS_ONLY
    return parameters


def _match_docker_model_runner(parameters: "xllamacpp.CommonParams") -> None:
    parameters.api_prefix = "/engines/llama.cpp"
    parameters.kv_unified = True  # the slots share the context, and each may use all of it
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.n_threads_http = HTTP_THREADS
    parameters.endpoint_metrics = parameters.endpoint_props = True
    parameters.ui = False
    # There is no API key, so pages of other origins must not read the responses.
    parameters.cors_origins = ""
    parameters.cors_origins_explicit = True
    parameters.cors_credentials = False


if __name__ == "__main__":
    main()
