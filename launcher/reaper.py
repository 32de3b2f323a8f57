"""Kills every started process, even if the launcher itself is killed."""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

# The folder is renamed first: a program that registers after that fails, and is not started.
_KILL_ALL = """
read -r _
mv "$1" "$1.ended" && cd "$1.ended" || exit
for group in *; do kill -s KILL -- "-$group"; done
cd / && rm -r "$1.ended"
"""


class Reaper:
    """A shell that waits for the launcher's exit, on a pipe of which the launcher holds one end.

    It kills the process groups that have registered: each is a file in `folder`, named by its id.
    """

    def __init__(self) -> None:
        # Not in /tmp: some systems delete files there that are some days old.
        self.folder = Path(tempfile.mkdtemp(prefix="running-", dir=sys.prefix))
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _KILL_ALL, "reaper", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def register(self, command: str) -> str:
        """Return a shell command that registers its process group before it runs `command`."""
        return f"touch {shlex.quote(str(self.folder))}/$$ && exec {command} </dev/null"

    def kill_all(self) -> None:
        self._shell.communicate()
