"""Runs a temporary Postgres server, if Postgres is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until

PROGRAM_FOLDERS = [
    *Path("/usr/lib/postgresql").glob("*/bin"),
    *Path("/opt").glob("homebrew/opt/*/bin"),
]


def _find_program(name: str) -> str | None:
    search_path = os.pathsep.join([*map(str, PROGRAM_FOLDERS), os.environ.get("PATH", "")])
    return shutil.which(name, path=search_path)


def _user() -> str | None:
    """Return the user to run it as, since Postgres refuses to run as root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def missing_reason() -> str:
    """Return why no server can be started, or an empty string."""
    return (
        ""
        if _find_program("initdb") and _find_program("postgres")
        else "PostgreSQL is not installed (Debian: apt install postgresql)."
    )


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run Postgres on a Unix socket in a temporary folder; yield its URL."""
    folder = Path(tempfile.mkdtemp(prefix="smolchat-pg-"))
    user = _user()
    if user:
        shutil.chown(folder, user)
    initdb, postgres = _find_program("initdb"), _find_program("postgres")
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
