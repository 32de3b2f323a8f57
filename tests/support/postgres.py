"""A Postgres of the tests' own, where this machine has its programs."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until

PROGRAMS = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt").glob("homebrew/opt/*/bin")]


def _program(name: str) -> str | None:
    places = os.pathsep.join([*map(str, PROGRAMS), os.environ.get("PATH", "")])
    return shutil.which(name, path=places)


def _user() -> str | None:
    """Give who runs it: Postgres does not run as root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def missing_reason() -> str:
    """Say why there can be none."""
    return "" if _program("initdb") and _program("postgres") else "There is no Postgres here."


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run it on a socket in a folder of its own; give its address."""
    folder = Path(tempfile.mkdtemp(prefix="smolchat-pg-"))
    user = _user()
    if user:
        shutil.chown(folder, user)
    initdb, postgres = _program("initdb"), _program("postgres")
    assert initdb
    assert postgres
    data = str(folder / "data")
    options = ["--auth=trust", "--no-sync", "--username=smolchat", "--encoding=UTF8", "--locale=C"]
    subprocess.run(
        [initdb, "-D", data, *options], check=True, user=user, cwd=folder, capture_output=True
    )
    no_network = ["-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen(
        [postgres, "-D", data, "-k", str(folder), *no_network],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until((folder / "data" / "postmaster.pid").exists, seconds=30)
        wait_until(lambda: "ready" in (folder / "data" / "postmaster.pid").read_text(), seconds=30)
        yield f"postgres://smolchat@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)
