"""DAGs that start on events, in a real triggerer that is killed meanwhile."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from candid_provider.cli.local_airflow import COMPONENTS, LocalAirflow
from candid_provider.cli.processes import Processes
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.airflow.event_dags.candid_streams import CREATED
from tests.benchmarks.waiting import clock, encounters
from tests.cluster.test_secrets import TOLD
from tests.conftest import REPOSITORY
from tests.emulator.conftest import Api, connected
from tests.emulator.test_organization import PROVIDER, PROVIDERS

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAGS = (
    REPOSITORY / "tests" / "airflow" / "event_dags" / "candid_streams.py",
    REPOSITORY / "example_dags" / "example_candid_events.py",
    REPOSITORY / "example_dags" / "example_candid_claim.py",
)
ROUTE = "GET /api/events/v1/"
DAYS = 29
QUICK_TAKEOVER = {
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",
}


class Watching:
    """An Airflow with watchers, and an emulator whose time is the wall's."""

    def __init__(self, airflow: LocalAirflow, processes: Processes, emulator: Emulator, api: Api) -> None:
        self.airflow, self.processes, self.emulator, self.api = airflow, processes, emulator, api

    def happen(self) -> None:
        assert self.api.http.post(PROVIDERS, json=PROVIDER).status_code == 200

    def change_a_status(self) -> None:
        (encounter,) = self.api.ok("/api/encounters/v4", limit=1)["items"]
        path = f"/api/encounters/v4/{encounter['encounter_id']}"
        assert self.api.http.patch(path, json={"billable_status": "NOT_BILLABLE"}).status_code == 200

    def events(self, **query: Any) -> list[str]:
        """Ids of Candid's events, the oldest first."""
        return [event["id"] for event in reversed(self.api.rows("/api/events/v1/", limit=100, **query))]

    def delivered(self, asset: str) -> list[str]:
        """Ids of the events of an asset, in the order in which they were stored."""
        return [row[0] for row in self._select("json_extract(event.extra, '$.payload.id')", asset)]

    def reaches(self, asset: str, count: int) -> None:
        """Wait until an asset has so many events."""
        self.until(
            lambda: self._select("COUNT(*)", asset)[0][0] >= count, f"{count} events of {asset}", 300, pause=0.1
        )

    def _select(self, what: str, asset: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {what} FROM asset_event event JOIN asset ON asset.id = event.asset_id WHERE asset.name = ?"
        with contextlib.closing(
            sqlite3.connect(f"file:{self.airflow.home}/airflow.db?mode=ro", uri=True)
        ) as database:
            return database.execute(f"{query} ORDER BY event.id", (asset,)).fetchall()

    def positions(self) -> int:
        """How many streams have begun."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.airflow.home}/airflow.db?mode=ro", uri=True)
        ) as database:
            return int(database.execute("SELECT COUNT(*) FROM asset_state_store").fetchone()[0])

    def until(self, happened: Callable[[], bool], what: str, seconds: float = 120, pause: float = 0.2) -> None:
        """Wait for something, and show the triggerer's last lines if it does not come."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"no {what} within {seconds} s:\n{self.processes.tail('triggerer')}"
            time.sleep(pause)

    def polls(self) -> int:
        return len(self.emulator.requests(route=ROUTE))

    def heard(self, dag_id: str) -> Any:
        """Wait for the end of a DAG's only run, and give what its only task returned."""
        self.until(lambda: [run["state"] for run in self.runs(dag_id)] == ["success"], f"success of {dag_id}")
        (task,) = self.airflow.tasks(dag_id, self.runs(dag_id)[0]["dag_run_id"])
        return self.airflow.xcom(dag_id, task["dag_run_id"], task["task_id"])

    def said(self, words: str) -> int:
        """In how many triggers' logs the words are."""
        return sum(words in path.read_text() for path in self.airflow.home.rglob("*.trigger.*.log"))

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        answer = self.airflow.get(f"/api/v2/dags/{dag_id}/dagRuns?order_by=id")
        answer.raise_for_status()
        runs: list[dict[str, Any]] = answer.json()["dag_runs"]
        return runs


@contextlib.contextmanager
def watching(home: Path, components: set[str], *, encounters: int, **settings: str) -> Iterator[Watching]:
    world = EmulatorConfig(speed=1.0, encounters=encounters, patients=200, days=30)
    with (
        running(world) as emulator,
        Processes(home / "logs" / "components") as processes,
        connected(emulator) as http,
    ):
        given = {"AIRFLOW_CONN_CANDID_DEFAULT": emulator.connection, **settings}
        given["CANDID_POLL_INTERVAL"] = "1"
        given["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "True"  # it is the scheduler that starts runs for assets
        airflow = LocalAirflow(home, DAGS, given, {name: COMPONENTS[name] for name in components})
        airflow.prepare()
        airflow.start(
            processes, ["candid_created", "candid_everything", "example_candid_events", "example_candid_claim"]
        )
        yield Watching(airflow, processes, emulator, Api(http))
        airflow.close()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    home = tmp_path_factory.mktemp("watching") / "airflow"
    with watching(home, {*COMPONENTS}, encounters=60, POLL_INTERVAL="10") as there:
        there.until(lambda: there.positions() == 3, "beginning of the three streams")
        yield there


def test_a_dag_runs_before_candid_is_asked_a_third_time(
    there: Watching, record_property: Callable[[str, object], None]
) -> None:
    polls, began = there.polls(), time.monotonic()
    there.happen()
    there.until(lambda: bool(there.runs("candid_created")), "run of the DAG", pause=0.05)
    record_property("seconds from an event to its run, polled every 10 s", f"{time.monotonic() - began:.1f}")
    # The example's watcher asks every 60 s, so once at most meanwhile.
    assert there.polls() - polls <= 2 + 1
    assert there.heard("candid_created") == there.events(event_types=CREATED) == there.delivered("created")
    assert there.emulator.stats()["token"]["minted"] == 2  # the watchers' one, and this test's


def test_the_example_looks_at_what_has_changed(there: Watching) -> None:
    there.change_a_status()
    there.until(lambda: bool(there.runs("example_candid_events")), "run of the example")
    assert there.heard("example_candid_events") == {"not_billable": 1}


def test_claims_are_followed_to_their_end_while_weeks_go_by(there: Watching) -> None:
    ids, ends = encounters(there.emulator, 3), {"settle", "ask_a_person"}
    run_id = there.airflow.trigger("example_candid_claim", logical_date=None, conf={"encounter_ids": ids})
    there.until(lambda: there.said("GET /api/encounters/v4/{encounter_id}: not yet (1 ") == 3, "wait of each claim")
    clock(there.emulator, 86_400.0)
    over = ("success", "failed")
    there.until(lambda: there.airflow.run_state("example_candid_claim", run_id) in over, "end of the claims")
    clock(there.emulator, 1.0)
    tasks = there.airflow.tasks("example_candid_claim", run_id)
    assert {task["state"] for task in tasks} == {"success", "skipped"}
    assert len([task for task in tasks if task["task_id"] in ends and task["state"] == "success"]) == 1


@pytest.mark.timeout(900)
def test_thousands_of_events_come_once_though_the_triggerer_is_killed_three_times(
    tmp_path: Path, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    size: int = pytestconfig.getoption("events")
    luck = random.Random(6)
    components = {"api-server", "dag-processor", "triggerer"}
    since = (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()
    settings = {"POLL_INTERVAL": "2", "STREAM_START": since, **QUICK_TAKEOVER}
    with watching(tmp_path / "airflow", components, encounters=size * 41 // 200, **settings) as there:
        began, past = time.monotonic(), there.events(created_after=since)
        assert len(past) >= size
        for share in (0.2, 0.5, 0.8):
            there.reaches("everything", round(share * len(past)) + luck.randrange(size // 20))
            there.processes.kill("triggerer")
            there.happen()  # while nobody is there
            there.airflow.start_component(there.processes, "triggerer")
            there.happen()
        there.reaches("everything", len(past))
        there.until(lambda: {*past} <= {*there.delivered("everything")}, "end", 60, pause=0.5)
        there.reaches("created", 6)
        record_property(f"seconds for {len(past)} events and three kills", f"{time.monotonic() - began:.0f}")
        doubled = [each for name in ("created", "everything") for each in doubles(there.delivered(name))]
        assert doubled == []
        assert there.delivered("created") == there.events(event_types=CREATED)
        assert {*there.delivered("everything")} <= {*there.events(created_after=since)}
        assert leaks(there) == []


def doubles(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def leaks(there: Watching) -> list[str]:
    """Name the files of Airflow's that hold a marker, a secret, a token, or what an event tells of."""
    events = there.api.ok("/api/events/v1/", limit=50, event_types="CandidApi.Encounter.StatusUpdated")["items"]
    told = [event["payload"][name] for event in events for name in ("encounter_id", "claim_id")]
    wanted = [*there.emulator.markers, there.emulator.config.client_secret, *there.emulator.tokens(), *told]
    files = [path for path in there.airflow.home.rglob("*") if path.is_file() and path.name not in TOLD]
    assert any("Trigger fired event" in path.read_text(errors="replace") for path in files)
    return [path.name for path in files if any(text.encode() in path.read_bytes() for text in wanted)]
