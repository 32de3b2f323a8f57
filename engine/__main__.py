"""The engine's command line: `python -m engine` serves a model at Docker Model Runner's address."""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until someone listens to it, a Ctrl-C ends this without a word, also during the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from engine.child_protocol import ServeConfig
from engine.existing_server import existing_server_message
from engine.model_file import ModelFile, ModelFileError, inspect_model_file
from engine.port_check import PortUnavailableError, check_port_available
from engine.settings import Settings, usable_cores
from engine.supervisor import Supervisor, on_end_signals


def main(arguments: Sequence[str] | None = None) -> int:
    on_end_signals(_leave)
    given = _parsed(arguments)
    is_stand_in = given.pop("stand_in", False)
    settings = Settings.load(**given)
    if is_stand_in and (reason := existing_server_message(settings)):
        _idle_forever(reason)
    try:
        weights = inspect_model_file(settings.model)
        check_port_available(settings.host, settings.port)
    except (ModelFileError, PortUnavailableError) as error:
        raise SystemExit(str(error)) from None
    order = _order(settings, weights)
    if reason := Supervisor(order, _announcement(settings, weights, order)).run():
        raise SystemExit(reason)
    return 0


def _parsed(arguments: Sequence[str] | None) -> dict[str, Any]:
    """Give the options that were set; each has its twin in the environment."""
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Serve a small model with llama.cpp at Docker Model Runner's address.",
        epilog="Each option but --stand-in can be set as SMOLCHAT_ENGINE_... too.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--model", metavar="PATH", help="a GGUF file (default: SmolLM2 135M)")
    parser.add_argument("--host", help="where to listen (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", help="(default: 12434)")
    parser.add_argument("--context", metavar="TOKENS", help="shared by all slots (default: 8192)")
    parser.add_argument("--threads", help="(default: the cores there are, less one)")
    parser.add_argument("--parallel", metavar="SLOTS", help="answers at a time (default: 4)")
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="idle if DMR_BASE_URL names another model server, or one answers there already",
    )
    return vars(parser.parse_args(arguments))


def _idle_forever(reason: str) -> NoReturn:
    """Stay, idle: whoever runs programs together ends all of them when one ends."""
    print(reason, flush=True)
    while True:
        signal.pause()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _order(settings: Settings, weights: ModelFile) -> ServeConfig:
    trained = weights.trained_context
    if trained and settings.context > trained:
        print(
            f"The model was trained for {trained} tokens of context: "
            f"{settings.context} would be of no use to it, so it gets {trained}.",
            flush=True,
        )
    return ServeConfig(
        path=str(weights.path),
        model_id=settings.model_id,
        host=settings.host,
        port=settings.port,
        context=min(settings.context, trained or settings.context),
        threads=settings.threads,
        parallel=settings.parallel,
    )


def _announcement(settings: Settings, weights: ModelFile, order: ServeConfig) -> str:
    """Say what is served, for a person to read; what the file does not say is left out."""
    file = f"{weights.path.name}, {weights.size_bytes / 1e6:.0f} MB"
    license_ = f"licence {weights.license or 'not stated'}"
    parameters = weights.parameters and f"{weights.parameters / 1e6:.1f} million parameters"
    model = [weights.name, parameters, weights.quantization, license_]
    return (
        f"Serving {order.model_id} at {settings.url}\n"
        f"  file     {file}\n"
        f"  model    {', '.join(fact for fact in model if fact)}\n"
        f"  context  {order.context} tokens, shared by {order.parallel} slots\n"
        f"  threads  {order.threads} of {usable_cores()} cores"
    )


if __name__ == "__main__":
    sys.exit(main())
