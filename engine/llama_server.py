"""The model's process: llama.cpp's own HTTP server, for as long as its owner lives.

It never deletes the server, which can hang: SIGTERM's default, or the owner's end, ends everything.
"""

import ctypes
import fcntl
import os
import select
import signal
import sys

import xllamacpp  # type: ignore[import-untyped]

from engine.child_protocol import EXIT_MODEL_NOT_LOADED, READY, ServeConfig

# Whether a reader has left is looked at between batches. A prompt of 6,000 tokens kept the machine
# busy for 7 s after its reader had gone with the default of 2048, and for 1 s with this.
BATCH_TOKENS = 192
# Left alone, the prompt cache in memory grows to 8 GiB.
PROMPT_CACHE_MIB = 96
# Each open stream holds a thread. With the default (twice the slots) requests that wait for a slot
# take them all, and then nobody can even ask which models there are.
HTTP_THREADS = 64
ERRORS_ONLY = 1
# glibc keeps what many long requests at once have left in pieces: 60 of 1 MB left 2.7 GB for good,
# and with this 340 MB, as at rest. Fewer arenas lower the peak of 32 of 150 KB from 600 to 540 MB.
# Neither costs time that could be measured.
TRIM_SECONDS = 5.0
ARENAS = 2
TRIM_BYTES = 128 << 10
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1  # glibc's malloc.h


def main() -> None:
    # A Ctrl-C reaches the whole process group; the supervisor is the one to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _exit_with_parent()
    _limit_malloc_arenas()
    try:
        _server = xllamacpp.Server(_parameters(ServeConfig.from_json(sys.argv[1])))
    except RuntimeError:  # llama.cpp has written the reason
        os._exit(EXIT_MODEL_NOT_LOADED)
    try:
        print(READY, flush=True)
        # The pipe can be read when it ends: when the owner does, however that happens.
        while not select.select([sys.stdin], [], [], TRIM_SECONDS)[0]:
            _trim_memory()
    finally:  # also where the owner ended before it could be told
        os._exit(0)


def _limit_malloc_arenas() -> None:
    """Set up glibc's memory before there are threads; other C libraries have no such knobs."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, ARENAS)
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def _trim_memory() -> None:
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _exit_with_parent() -> None:
    """Let the kernel end this process when the pipe from its owner closes.

    No thread could: the interpreter is locked while a model is loaded. Only Linux ends a process by
    SIGIO; elsewhere it takes until the model is loaded.
    """
    if sys.platform == "linux":
        pipe = sys.stdin.fileno()
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([pipe], [], [], 0)[0]:  # it has closed before: no signal will tell
            os._exit(0)


def _parameters(order: ServeConfig) -> "xllamacpp.CommonParams":
    parameters = xllamacpp.CommonParams()
    parameters.model.path = order.path
    parameters.model_alias = {order.model_id}
    parameters.hostnames = [order.host]
    parameters.port = order.port
    parameters.n_ctx = order.context
    parameters.n_parallel = order.parallel
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = order.threads
    _match_docker_model_runner(parameters)
    # Each takes seconds of a busy machine at start, and saves none later.
    parameters.warmup = parameters.fit_params = False
    parameters.verbosity = ERRORS_ONLY
    return parameters


def _match_docker_model_runner(parameters: "xllamacpp.CommonParams") -> None:
    parameters.api_prefix = "/engines/llama.cpp"
    parameters.kv_unified = True  # all slots share the context, and each may use all of it
    parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.n_threads_http = HTTP_THREADS
    parameters.endpoint_metrics = parameters.endpoint_props = True
    parameters.ui = False
    # There is no key, so no page of any other origin may read what is said here.
    parameters.cors_origins = ""
    parameters.cors_origins_explicit = True
    parameters.cors_credentials = False


if __name__ == "__main__":
    main()
