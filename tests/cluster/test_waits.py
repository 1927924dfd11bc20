"""Many waits in one triggerer: one token, few requests, a free event loop, and every end the right one."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import date

import pytest

from tests.benchmarks.waiting import LIMIT, PER, clock, encounters, most_in_any, received, right
from tests.cluster.conftest import Fleet

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.cluster,
    pytest.mark.parametrize("fleet", ["sqlite_and_local"], indirect=True),
]

SPEED = 7200.0
"""Simulated seconds a second: two hours."""


@pytest.mark.timeout(1500)
def test_many_waits_in_one_triggerer(
    fleet: Fleet, pytestconfig: pytest.Config, record_property: Callable[[str, str], None]
) -> None:
    size: int = pytestconfig.getoption("waits")
    seconds, interval, home = 20 + 0.06 * size, max(2.0, size / 200), fleet.airflow.home
    world = {"as_of": date(2026, 3, 15), "encounters": size * 6, "patients": 500, "days": 30, "speed": SPEED}
    probing = fleet.start("probe")
    fleet.until((home / "probe.started").exists, "the probe")
    with fleet.connected("waits", **world) as candid:
        ids = encounters(candid, size)
        candid.forget_requests()
        before = candid.stats()["requests"]
        facts = {"ids": ids, "interval": interval, "seconds": seconds}
        (home / "waits.json").write_text(json.dumps(facts))
        run_id = fleet.start(f"waits_{size}")
        fleet.until(lambda: candid.stats()["requests"] != before, "the first question")
        time.sleep(seconds * 0.7)  # before the first of them ends
        clock(candid, 0.0)
        state, tasks = fleet.wait(f"waits_{size}", run_id, seconds=seconds + 600)
        requests = Counter(candid.stats()["requests"]) - Counter(before)
        most = most_in_any(PER, received(candid))
        minted = candid.stats()["token"]["minted"] - 1  # one by this test
        events = {str(task["map_index"]): fleet.result(f"waits_{size}", task) for task in tasks}
        ends = right(candid, ids, events)
    (home / "probe.released").touch()
    _, (measured,) = fleet.wait("probe", probing)
    probe = fleet.result("probe", measured)
    record_property(f"{size} waits in a triggerer for {seconds:.0f} s: ends", str(dict(ends)))
    record_property(f"{size} waits: requests, most in 10 s", f"{dict(requests)}, {most}")
    record_property(f"{size} waits: lag, ms", str({name: probe[name] for name in ("wall_ms", "cpu_ms")}))
    record_property(f"{size} waits: KB each, Airflow's own included", f"{probe['grown'] / size / 1000:.0f}")
    assert (state, minted, len(events)) == ("success", 1, size)
    assert ends["missed"] == 0
    assert ends["timeout"] + ends["succeeded"] + ends["needs_person"] + ends["failed"] == size
    assert most <= LIMIT
    assert requests["GET /api/events/v1/"] > 0
    assert probe["cpu_ms"]["p99"] < 50
