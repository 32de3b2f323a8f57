"""The launcher's command line, `python -m launcher`: wires it, and hands signals on."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until someone listens to it, a Ctrl-C ends this without a word, also during the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from engine.settings import Settings as EngineSettings
from launcher.ports import check_distinct_ports, check_free_ports
from launcher.processes import ProcessGroup
from launcher.ready_banner import ReadyBanner
from launcher.settings import Settings
from launcher.terminal import Terminal


def main() -> int:
    settings, engine = Settings.load(), EngineSettings.load()
    check_distinct_ports(settings, engine)
    check_free_ports(settings)
    terminal = Terminal()
    programs = ProcessGroup(settings, terminal)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` leaves it
            signal.signal(number, programs.stop)
    announcer = ReadyBanner(settings, engine, terminal)
    announcer.start()
    code = programs.wait()
    announcer.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
