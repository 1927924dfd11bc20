"""``candid token`` and ``candid check``, from the environment and from a metadata database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from candid_provider.cli import main
from candid_provider.emulator import Emulator
from tests.conftest import Connect


@pytest.fixture
def shared(connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A connection whose token is shared through files of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    connect(extra={"store": "file"})


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    return code, capsys.readouterr().out


@pytest.mark.usefixtures("shared")
def test_status_of_a_store_without_a_token_asks_nobody(candid: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "token", "status")
    assert code == 0
    assert "none; the next task that needs one mints it" in text
    assert sum(candid.stats()["requests"].values()) == 0


@pytest.mark.usefixtures("shared")
def test_status_tells_all_but_the_token(candid: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "refresh"])
    code, text = said(capsys, "token", "status")
    assert code == 0
    assert re.search("(5 h 0|4 h 59) min left", text)
    for topic in ("fresh", f"minted by {os.uname().nodename}:{os.getpid()}", "hold         none"):
        assert topic in text
    assert "eyJ" not in text
    assert "emulator-secret" not in text


@pytest.mark.usefixtures("shared")
def test_refresh_mints_once_each_time(candid: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    hashes = {said(capsys, "token", "refresh")[1].split("token ")[1].split(",")[0] for _ in range(3)}
    assert len(hashes) == 3
    assert candid.stats()["token"]["minted"] == 3


@pytest.mark.usefixtures("shared")
def test_what_is_forgotten_is_minted_anew(candid: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "refresh"])
    assert "none; the next task" in said(capsys, "token", "forget")[1]


@pytest.mark.usefixtures("shared")
def test_a_wrong_secret_is_said_in_one_line(connect: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    connect(password="wrong-for-the-command", extra={"store": "file"})
    code, text = said(capsys, "token", "refresh")
    assert code == 1
    assert "password (Client Secret)" in text


def test_a_connection_that_does_not_exist_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["token", "status", "nosuch"], ["check", "nosuch"]):
        code, text = said(capsys, *command)
        assert code == 1
        assert "AIRFLOW_CONN_NOSUCH" in text


def test_check_says_whether_candid_accepts(connect: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "check")[0] == 0
    connect(password="wrong-for-check")
    code, text = said(capsys, "check")
    assert code == 1
    assert "Client Secret" in text


@pytest.mark.airflow
def test_airflows_own_command_line_works_on_the_database(candid: Emulator, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    fields = {"conn_type": "candid", "login": "emulator", "password": "emulator-secret", "host": candid.url}
    env = {
        **kept,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_CANDID_DEFAULT": json.dumps(fields),
    }

    def airflow(*arguments: str) -> str:
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    airflow("db", "migrate")
    assert "minted now" in airflow("candid", "token", "refresh")
    assert "4 h 59 min left" in airflow("candid", "token", "status")
    assert "none; the next task" in airflow("candid", "token", "forget")
    assert candid.stats()["token"]["minted"] == 1
