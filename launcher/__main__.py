"""The launcher's command line, `python -m launcher`: wires it, and hands signals on."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until someone listens to it, a Ctrl-C ends this without a word, also during the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from engine.settings import Settings as EngineSettings
from launcher.ports import refuse_equal_ports, refuse_taken_ports
from launcher.processes import Programs
from launcher.ready_banner import Announcer
from launcher.settings import Settings
from launcher.terminal import Terminal


def main() -> int:
    settings, engine = Settings.load(), EngineSettings.load()
    refuse_equal_ports(settings, engine)
    refuse_taken_ports(settings)
    terminal = Terminal()
    programs = Programs(settings, terminal)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` leaves it
            signal.signal(number, programs.stop)
    announcer = Announcer(settings, engine, terminal)
    announcer.start()
    code = programs.follow()
    announcer.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
