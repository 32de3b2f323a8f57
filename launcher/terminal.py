"""The terminal that SmolChat was started from: writes to it, and tells whether it was closed."""

import errno
import io
import os
import select
import sys


class Terminal:
    """Where the log goes, which need not be a terminal.

    A closed one is told by SIGHUP to the leader of its session only. That may be make, which keeps
    it to itself, so it has to be noticed here.
    """

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # the log may have what it cannot show
            sys.stdout.reconfigure(errors="replace")
        self._parent = os.getppid()
        self._is_gone = False
        self._descriptors = [number for number in (0, 1, 2) if os.isatty(number)]
        self._poll = select.poll()
        for descriptor in self._descriptors:
            self._poll.register(descriptor, 0)  # a hang-up is told unasked

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            # The terminal, or the reader of the pipe that stands for it. A full disk is neither.
            self._is_gone = error.errno in (errno.EIO, errno.EPIPE)
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # until the process ends

    def is_closed(self) -> bool:
        """Tell whether the person who started SmolChat has closed what it was started from."""
        if self._is_gone or not self._descriptors:
            return self._is_gone
        is_hung_up = any(events & select.POLLHUP for _, events in self._poll.poll(0))
        return is_hung_up or os.getppid() != self._parent
