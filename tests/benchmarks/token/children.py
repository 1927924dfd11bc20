"""The processes of the benchmark: an Airflow database, the two servers, and who talks to them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from candid_provider.cli.processes import environment
from tests.benchmarks.token.clients import CLIENT_ID, CLIENT_SECRET

REPOSITORY = Path(__file__).parents[3]
HERE = "tests.benchmarks.token"


class Home:
    """An AIRFLOW_HOME; children get a fresh copy of its database each time they are told where Candid is."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._copies = folder, 0

    def migrate(self) -> None:
        """Make the database, without which only the stores ``file`` and ``memory`` work."""
        if not _ends_well("airflow", "db", "migrate", env=self._environment("airflow")):
            raise SystemExit("airflow db migrate failed")

    def connected(self, url: str, store: str) -> dict[str, str]:
        """Give the environment of a process that finds Candid at a URL and nothing in its stores."""
        self._copies += 1
        name = f"copy-{self._copies}"
        if (database := self._folder / "airflow.db").exists():
            shutil.copy(database, self._folder / f"{name}.db")
        candid = {"conn_type": "candid", "host": url, "login": CLIENT_ID, "password": CLIENT_SECRET}
        return self._environment(name) | {
            "XDG_CACHE_HOME": str(self._folder / name),
            # Outside a task, this is how Airflow is told to look into its database.
            "_AIRFLOW_PROCESS_CONTEXT": "server",
            "AIRFLOW_CONN_CANDID_DEFAULT": json.dumps({**candid, "extra": {"store": store}}),
            "AIRFLOW_CONN_HTTP_CANDID": json.dumps({**candid, "conn_type": "http"}),
        }

    def _environment(self, database: str) -> dict[str, str]:
        # Compiled once, as in a deployment, whatever this environment says: Airflow takes seconds to compile.
        return environment(
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=str(self._folder / "compiled"),
            AIRFLOW_HOME=str(self._folder),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{self._folder / database}.db",
            PYTHONWARNINGS="ignore",
        )


@contextmanager
def served(module: str, *options: str) -> Iterator[str]:
    """Run a server in a process of its own and give its URL."""
    command = [sys.executable, "-m", module, *options]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().removeprefix("listening on ").strip()
        finally:
            process.terminate()


@dataclass(frozen=True)
class Cold:
    """What some cold processes cost: tokens minted, requests for a token refused, successes, seconds in all."""

    mints: int
    throttled: int
    succeeded: int
    seconds: float


def cold(
    home: Home,
    client: str,
    store: str,
    *,
    processes: int,
    at_once: int,
    limit: int,
    done: Callable[[], None] = lambda: None,
) -> Cold:
    """Start processes that each open a client and list one payer, against an emulator of their own.

    :param limit: mints a minute; 0 for no limit.
    :param done: called whenever one has ended.
    """
    options = ["--port", "0", "--encounters", "1", "--patients", "1", "--rate-limit", str(limit)]
    with served("candid_provider.emulator", *options) as url, ThreadPoolExecutor(at_once) as pool:
        env = home.connected(url, store)

        def one(_: int) -> bool:
            well = _ends_well(f"{HERE}.clients", client, url, env=env)
            done()
            return well

        started = time.monotonic()
        succeeded = sum(pool.map(one, range(processes)))
        seconds = time.monotonic() - started
        token = httpx.get(f"{url}/_emulator/stats").json()["token"]
        return Cold(token["minted"], token["rate_limited"], succeeded, seconds)


def measured(
    home: Home,
    what: str,
    names: Sequence[str] = (),
    *,
    rounds: int,
    times: int,
    done: Callable[[], None] = lambda: None,
) -> list[Mapping[str, float]]:
    """Measure in a process of its own and give the seconds of each round by name."""
    store = "variable" if what == "start" else "memory"
    with served(f"{HERE}.server") as url:
        command = [sys.executable, "-m", f"{HERE}.rounds", what, url, str(rounds), str(times), *names]
        env = home.connected(url, store)
        with subprocess.Popen(command, env=env, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            found = []
            for line in process.stdout or ():
                if line.startswith("{"):
                    found.append(json.loads(line))
                    done()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return found


def _ends_well(*module: str, env: Mapping[str, str]) -> bool:
    command, quiet = [sys.executable, "-m", *module], subprocess.DEVNULL
    return subprocess.run(command, env=env, cwd=REPOSITORY, stdout=quiet, stderr=quiet, check=False).returncode == 0
