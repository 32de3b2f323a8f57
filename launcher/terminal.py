"""The terminal that SmolChat was started in: prints the log, and notices when it is closed."""

import errno
import io
import os
import select
import sys


class Terminal:
    """The destination of the log, which can also be a pipe or a file.

    Only the session leader gets SIGHUP when its terminal is closed. That can be make, which does
    not pass it on, so the launcher has to check for itself.
    """

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # the log may have characters it cannot show
            sys.stdout.reconfigure(errors="replace")
        self._parent = os.getppid()
        self._is_broken = False
        self._descriptors = [number for number in (0, 1, 2) if os.isatty(number)]
        self._poll = select.poll()
        for descriptor in self._descriptors:
            self._poll.register(descriptor, 0)  # POLLHUP is always reported

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            # The terminal is closed, or the reader of the pipe has exited; a full disk is neither.
            self._is_broken = error.errno in (errno.EIO, errno.EPIPE)
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # until the process exits

    def is_closed(self) -> bool:
        if self._is_broken or not self._descriptors:
            return self._is_broken
        has_hung_up = any(events & select.POLLHUP for _, events in self._poll.poll(0))
        return has_hung_up or os.getppid() != self._parent
