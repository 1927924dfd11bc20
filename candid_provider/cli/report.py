"""The demo's report: what the run did, what the emulator saw, and whether the two agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from candid_provider.cli.local_airflow import LocalAirflow

EXTRACTS = ("encounters", "patients")


@dataclass(frozen=True, kw_only=True)
class Report:
    """Hold the run's figures.

    :param tasks: task instances that succeeded.
    :param task_processes: distinct operating-system processes that ran them.
    :param token_users: how many of those called Candid, and so needed the token.
    :param mints: tokens the emulator gave out.
    :param rows: records written, by resource.
    :param expected: records the emulator holds, by resource.
    :param duplicates: encounters that are in the files more than once.
    :param seconds: from the start of the demo to the end of the run.
    """

    state: str
    tasks: int
    task_processes: int
    token_users: int
    mints: int
    mints_refused: int
    requests: int
    pages: int
    rows: dict[str, int]
    expected: dict[str, int]
    bytes: int
    duplicates: int
    files: list[dict[str, Any]]
    seconds: float

    @property
    def checks(self) -> dict[str, bool]:
        """What has to hold."""
        return {
            "the run succeeded": self.state == "success",
            "one token was minted": self.mints == 1,
            "at least 18 task processes shared it": self.token_users >= 18,
            "every record the emulator holds was written": self.rows == self.expected,
            "no record was written twice": self.duplicates == 0,
        }

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(self.checks.values())

    @classmethod
    def of(cls, airflow: LocalAirflow, dag_id: str, run_id: str, state: str, candid: str, seconds: float) -> Report:
        """Ask Airflow and the emulator about a run that has ended."""
        tasks = [task for task in airflow.tasks(dag_id, run_id) if task["state"] == "success"]
        extracts = [task for task in tasks if task["task_id"] in EXTRACTS]
        files = [airflow.xcom(dag_id, run_id, task["task_id"], task["map_index"]) or {} for task in extracts]
        summary = airflow.xcom(dag_id, run_id, "summary") or {}
        seen = httpx.get(f"{candid}/_emulator/stats", timeout=10, trust_env=False).raise_for_status().json()
        return cls(
            state=state,
            tasks=len(tasks),
            task_processes=len({(task["hostname"], task["pid"]) for task in tasks}),
            token_users=len({(task["hostname"], task["pid"]) for task in extracts}),
            mints=seen["token"]["minted"],
            mints_refused=seen["token"]["rate_limited"] + seen["token"]["refused"],
            requests=sum(seen["requests"].values()),
            pages=sum(file.get("pages", 0) for file in files),
            rows={name: sum(f.get("rows", 0) for f in files if f.get("resource") == name) for name in EXTRACTS},
            expected={name: seen["records"][name] for name in EXTRACTS},
            bytes=sum(file.get("bytes", 0) for file in files),
            duplicates=summary.get("duplicates", -1),
            files=sorted(files, key=lambda file: str(file.get("path"))),
            seconds=round(seconds, 1),
        )


def show(report: Report, console: Console) -> None:
    """Print a report for people."""
    files = Table("extract", "rows", "bytes", "parts", box=None, pad_edge=False)
    for column in files.columns[1:]:
        column.justify = "right"
    for file in report.files:
        path = Path(file["path"])
        name = str(path.relative_to(path.parents[1])) if path.parent.name == "encounters" else path.name
        files.add_row(name, f"{file['rows']:,}", f"{file['bytes']:,}", f"{file['parts']:,}")
    figures = Table(box=None, show_header=False, pad_edge=False)
    for label, value in _figures(report).items():
        figures.add_row(label, value)
    console.print()
    console.print(files)
    console.print()
    console.print(figures)
    console.print()
    for check, holds in report.checks.items():
        console.print(f"{'[green]ok[/]    ' if holds else '[red]FAILED[/]'} {check}")


def _figures(report: Report) -> dict[str, str]:
    rows = ", ".join(f"{count:,} {name}" for name, count in report.rows.items())
    refused = f" ({report.mints_refused} requests refused)" if report.mints_refused else ""
    return {
        "tasks": f"{report.tasks} in {report.task_processes} processes",
        "token mints": f"{report.mints} for {report.token_users} processes that called Candid{refused}",
        "requests": f"{report.requests}, of which {report.pages} pages",
        "rows": rows,
        "bytes": f"{report.bytes:,}",
        "duplicates": str(report.duplicates),
        "seconds": f"{report.seconds}",
    }
