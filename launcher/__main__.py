"""The launcher's command line: `python -m launcher` starts everything and handles signals."""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until the handlers are installed, Ctrl-C exits without a traceback, even during the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

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
    processes = ProcessGroup(settings, terminal)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, processes.stop)
    banner = ReadyBanner(settings, engine, terminal)
    banner.start()
    code = processes.wait()
    banner.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
