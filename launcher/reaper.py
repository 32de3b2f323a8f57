"""Ends every process that was started, for certain, however the launcher itself ends."""

import subprocess
import sys
import tempfile
from pathlib import Path

# The folder gets its other name first: whoever comes later finds it gone, and is not started.
_END_ALL = """
read -r _
mv "$1" "$1.ended" && cd "$1.ended" || exit
for group in *; do kill -s KILL -- "-$group"; done
cd / && rm -r "$1.ended"
"""


class Reaper:
    """A shell that waits for the end of the launcher, by a pipe of which that holds the other end.

    It kills the process groups that have left their number as the name of a file in `folder`.
    """

    def __init__(self) -> None:
        # Not in /tmp: some systems remove there what is some days old.
        self.folder = Path(tempfile.mkdtemp(prefix="running-", dir=sys.prefix))
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _END_ALL, "reaper", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def add(self, group: int) -> None:
        (self.folder / str(group)).touch()

    def end_all(self) -> None:
        self._shell.communicate()
