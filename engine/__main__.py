"""The engine's command line: `python -m engine` serves a model at Docker Model Runner's address."""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until the handlers are installed, Ctrl-C exits without a traceback, even during the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from engine.child_protocol import ServeConfig
from engine.existing_server import existing_server_message
from engine.model_file import ModelFile, ModelFileError, inspect_model_file
from engine.port_check import PortUnavailableError, check_port_available
from engine.settings import Settings, usable_cores
from engine.supervisor import Supervisor, on_exit_signals


def main(arguments: Sequence[str] | None = None) -> int:
    on_exit_signals(_exit)
    options = _parse_options(arguments)
    is_stand_in = options.pop("stand_in", False)
    settings = Settings.load(**options)
    if is_stand_in and (message := existing_server_message(settings)):
        _idle_forever(message)
    try:
        model_file = inspect_model_file(settings.model)
        check_port_available(settings)
    except (ModelFileError, PortUnavailableError) as error:
        raise SystemExit(str(error)) from None
    config = _serve_config(settings, model_file)
    if reason := Supervisor(config, _announcement(settings, model_file, config)).run():
        raise SystemExit(reason)
    return 0


def _parse_options(arguments: Sequence[str] | None) -> dict[str, Any]:
    """Return only the options that were set, so that the environment provides the others."""
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Serve a small model with llama.cpp at Docker Model Runner's address.",
        epilog="Every option except --stand-in can also be set as SMOLCHAT_ENGINE_...",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--model", metavar="PATH", help="a GGUF file (default: SmolLM2 135M)")
    parser.add_argument(
        "--host", help="the address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", help="(default: 12434)")
    parser.add_argument("--context", metavar="TOKENS", help="shared by all slots (default: 8192)")
    parser.add_argument("--threads", help="(default: all cores but one)")
    parser.add_argument("--parallel", metavar="SLOTS", help="concurrent responses (default: 4)")
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="stay idle if DMR_BASE_URL is another model server, or one already runs there",
    )
    return vars(parser.parse_args(arguments))


def _idle_forever(message: str) -> NoReturn:
    """Stay alive without a model: the launcher stops all programs when one exits."""
    print(message, flush=True)
    while True:
        signal.pause()


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _serve_config(settings: Settings, model_file: ModelFile) -> ServeConfig:
    trained = model_file.trained_context
    if trained and settings.context > trained:
        print(
            f"The model was trained for {trained} tokens of context. Using {trained} instead of "
            f"{settings.context}.",
            flush=True,
        )
    return ServeConfig(
        path=str(model_file.path),
        model_id=settings.model_id,
        host=settings.host,
        port=settings.port,
        context=min(settings.context, trained or settings.context),
        threads=settings.threads,
        parallel=settings.parallel,
    )


def _announcement(settings: Settings, model_file: ModelFile, config: ServeConfig) -> str:
    """Format what is served; leave out what the file does not contain."""
    size = model_file.size_label and f"{model_file.size_label} parameters"
    facts = [model_file.name, size, f"license {model_file.license or 'not stated'}"]
    return (
        f"Serving {config.model_id} at {settings.url}\n"
        f"  file     {model_file.path.name}, {model_file.size_bytes / 1e6:.0f} MB\n"
        f"  model    {', '.join(fact for fact in facts if fact)}\n"
        f"  context  {config.context} tokens, shared by {config.parallel} slots\n"
        f"  threads  {config.threads} of {usable_cores()} cores"
    )


if __name__ == "__main__":
    sys.exit(main())
