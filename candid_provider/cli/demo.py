"""``candid demo``: the main job end to end, on a real Airflow and the emulator, with a verdict."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from candid_provider.cli.local_airflow import AirflowFailed, LocalAirflow
from candid_provider.cli.processes import Processes, environment
from candid_provider.cli.report import Report, show

DAG_ID = "example_candid_nightly"
DAYS = 21
ENDED = ("success", "failed")
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = "The exit code is 0 only if every check of the report holds."
    world = parser.add_argument_group("the emulator")
    world.add_argument("--encounters", type=int, default=5000, metavar="N", help="encounters (%(default)s)")
    world.add_argument("--patients", type=int, default=2000, metavar="N", help="patients (%(default)s)")
    world.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, other records")
    world.add_argument("--latency", type=int, default=0, metavar="MS", help="delay of each answer")
    world.add_argument("--rate-limit", type=int, default=0, metavar="N", help="tokens a minute; 0: no limit")
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--store",
        choices=("variable", "file", "memory"),
        default="variable",
        help="where tasks share the token; memory shows what sharing nothing costs (%(default)s)",
    )
    run.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="longest run (%(default)s)")
    run.add_argument("--home", type=Path, metavar="DIR", help="work in this new directory and leave it behind")
    run.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C, with the UI's login")
    run.add_argument("--json", action="store_true", help="print the report as JSON, progress to stderr")


def run(options: argparse.Namespace) -> int:
    """Run the demo; 0 if every check holds, 1 if not, 130 after Ctrl-C."""
    console = Console(stderr=options.json, highlight=False)
    if version("apache-airflow").startswith("2."):
        console.print("the demo needs Airflow 3; the provider itself runs on 2.11, too")
        return 1
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        with _home(options.home) as home:
            return _run(options, home, console)
    except KeyboardInterrupt:
        console.print("interrupted; everything it started has ended")
        return 130
    except (AirflowFailed, OSError, httpx.HTTPError) as error:
        console.print(f"the demo failed: {error}", markup=False)
        return 1


def _interrupt(number: int, frame: object) -> None:
    """End the demo, once: a second Ctrl-C must not interrupt the cleaning up."""
    for other in INTERRUPTS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(options: argparse.Namespace, home: Path, console: Console) -> int:
    started = time.monotonic()
    today = datetime.datetime.now(datetime.UTC).date()
    with Processes(home / "logs" / "components") as processes:
        console.print(f"emulator: {options.encounters} encounters, {options.patients} patients, {DAYS} days")
        candid = _start_emulator(processes, options, today, home)
        airflow = LocalAirflow(home, [_example_dag()], _connection(candid, options.store, home / "output"))
        with contextlib.closing(airflow):
            console.print("airflow: making the database")
            airflow.prepare()
            console.print("airflow: starting scheduler, API server, triggerer and DAG processor")
            airflow.start(processes, [DAG_ID])
            run_id = _trigger(airflow, today)
            state = _follow(airflow, processes, run_id, console, options.timeout)
            report = Report.of(airflow, DAG_ID, run_id, state, candid, time.monotonic() - started)
            if options.json:
                print(json.dumps({**asdict(report), "passed": report.passed}))
            else:
                show(report, console)
            if options.home:
                console.print(f"files, logs and database: {home}", soft_wrap=True)
            if options.keep:
                _keep(airflow, processes, candid, console)
    return 0 if report.passed else 1


def _start_emulator(processes: Processes, options: argparse.Namespace, today: datetime.date, home: Path) -> str:
    command = [sys.executable, "-m", "candid_provider.emulator", "--port", "0", "--speed", "0"]
    command += ["--as-of", today.isoformat()]
    for name in ("encounters", "patients", "seed", "latency", "rate_limit"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    log = processes.start("emulator", [*command, "--days", str(DAYS)], environment(), home)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not processes.ended():
        words = log.read_text().split()
        if words[:2] == ["listening", "on"] and len(words) > 2:
            return words[2]
        time.sleep(0.05)
    raise AirflowFailed(f"the emulator did not start:\n{processes.tail('emulator')}")


def _connection(candid: str, store: str, output: Path) -> dict[str, str]:
    connection = {
        "conn_type": "candid",
        "login": "emulator",
        "password": "emulator-secret",
        "host": candid,
        "extra": {"store": store},
    }
    return {
        "AIRFLOW_CONN_CANDID_DEFAULT": json.dumps(connection),
        "CANDID_OUTPUT": str(output),
        "XDG_CACHE_HOME": str(output.parent / "cache"),
    }


def _trigger(airflow: LocalAirflow, today: datetime.date) -> str:
    """Start the run as the schedule would in the night after the emulator's last day."""
    end = datetime.datetime.combine(today, datetime.time(2), datetime.UTC) + datetime.timedelta(days=1)
    start = end - datetime.timedelta(days=1)
    return airflow.trigger(
        DAG_ID,
        logical_date=datetime.datetime.now(datetime.UTC).isoformat(),
        data_interval_start=start.isoformat(),
        data_interval_end=end.isoformat(),
    )


def _follow(airflow: LocalAirflow, processes: Processes, run_id: str, console: Console, timeout: float) -> str:
    columns = (
        TextColumn("tasks"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    deadline, last = time.monotonic() + timeout, ""
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        shown = bar.add_task("", total=DAYS + 3)
        while (state := airflow.run_state(DAG_ID, run_id)) not in ENDED:
            if name := processes.ended():
                raise AirflowFailed(f"{name} ended early:\n{processes.tail(name)}")
            if time.monotonic() > deadline:
                raise AirflowFailed(f"the run was not over after {timeout:.0f} s")
            states = [task["state"] for task in airflow.tasks(DAG_ID, run_id)]
            line = (
                f"{states.count('success')} done, {states.count('running')} running, {states.count('failed')} failed"
            )
            bar.update(shown, completed=states.count("success"), description=line)
            if line != last and not console.is_terminal:
                console.print(f"tasks: {line}")
            last = line
            time.sleep(0.5)
        bar.update(shown, completed=DAYS + 3 if state == "success" else None)
    return state


def _keep(airflow: LocalAirflow, processes: Processes, candid: str, console: Console) -> None:
    console.print(f"\nAirflow   {airflow.url}   user {airflow.user}   password {airflow.password}", soft_wrap=True)
    console.print(f"emulator  {candid}   client id emulator   client secret emulator-secret", soft_wrap=True)
    console.print(
        f"files     {airflow.home}\nCtrl-C ends it and removes everything not kept with --home", soft_wrap=True
    )
    with contextlib.suppress(KeyboardInterrupt):
        while not processes.ended():
            time.sleep(0.5)


@contextlib.contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given:
        given.mkdir(parents=True, mode=0o700)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="candid-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _example_dag() -> Path:
    name = f"{DAG_ID}.py"
    package = Path(__file__).parents[1]
    # In a wheel the examples are inside the package; in a checkout they are beside it.
    folders = package / "example_dags", package.parent / "example_dags"
    return next(folder / name for folder in folders if (folder / name).exists())
