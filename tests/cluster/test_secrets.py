"""Neither the token nor the secret is in clear in anything that Airflow writes at DEBUG."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Fleet

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.cluster,
    pytest.mark.parametrize("fleet", ["postgresql_and_celery"], indirect=True),
]

TOLD = ("airflow.env", "passwords.json")
"""Files that are there to tell secrets."""


@pytest.mark.requirement(5)
@pytest.mark.requirement(6)
def test_tokens_and_secrets_are_masked_on_every_path(fleet: Fleet) -> None:
    with fleet.connected("shown") as candid:
        run_id = fleet.start("shown")
        fleet.until(lambda: "ShowingTrigger" in fleet.database.dump(), "the deferral")
        fleet.until(lambda: len(shown(fleet)) == 3, "the trigger's line")
        waiting = fleet.database.dump()
        fleet.release("shown")
        state, tasks = fleet.wait("shown", run_id)
        (bearer,) = candid.tokens()
    assert state == "success", [fleet.log(task)[-2500:] for task in tasks]
    assert shown(fleet) == {place: ["***", "***"] for place in ("mint", "load", "triggerer")}
    texts = {"database while deferred": waiting, "database": fleet.database.dump(), **dict(logs(fleet))}
    wanted = (bearer, bearer.rpartition(".")[2], candid.config.client_secret)
    assert [(name, text[:12]) for name in texts for text in wanted if is_in(texts[name], text)] == []
    # The search finds what is there: in a log, in an XCom, in a trigger's and in a deferred task's arguments.
    assert any(is_in(text, "planted-in-a-log") for name, text in texts.items() if "task_id=load" in name)
    assert "public.xcom" in tables_with("planted-in-an-xcom", texts["database"])
    assert {"public.trigger", "public.task_instance"} <= tables_with("planted-in-the-arguments", waiting)


def tables_with(text: str, dump: str) -> set[str]:
    """Name the tables that hold a text."""
    return {line.split()[2] for line in dump.splitlines() if line.startswith("INSERT INTO") and is_in(line, text)}


def shown(fleet: Fleet) -> dict[str, list[str]]:
    """What the log has of the values that were logged on purpose, by place."""
    lines = (line for _, text in logs(fleet) for line in text.splitlines() if '"event":"shown"' in line)
    records = [json.loads(line) for line in lines]
    return {record["place"]: record["values"] for record in records}


def logs(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Everything that Airflow's processes wrote to files."""
    home = fleet.airflow.home
    for path in home.rglob("*"):
        if path.is_file() and path.name not in TOLD:
            yield str(path.relative_to(home)), path.read_text(errors="replace")


def is_in(text: str, wanted: str) -> bool:
    """Whether a text holds another, in clear or as a dump writes bytes."""
    return wanted in text or wanted.encode().hex() in text
