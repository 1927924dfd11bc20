from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from candid_provider.emulator import EmulatorConfig, running

from .conftest import connected

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "candid_provider.emulator", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The emulator in a process of its own, and what it printed at its start."""
    with subprocess.Popen(
        command(*arguments), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().rstrip()]
            while not lines[-1].startswith("AIRFLOW_CONN_CANDID_DEFAULT="):
                assert process.poll() is None
                lines.append(process.stdout.readline().rstrip())
            yield process, lines
        finally:
            process.kill()


def url_of(lines: list[str]) -> str:
    return lines[0].removeprefix("listening on ")


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- command line


def test_it_prints_where_it_is_and_how_to_sign_in() -> None:
    with served("--port", "0", "--client-id", "me", "--client-secret", "it's mine") as (process, lines):
        url = url_of(lines)
        assert httpx.get(f"{url}/_emulator/health").json() == {"status": "ok"}
        assert ended(process, signal.SIGINT) == (0, "", "")
    assert [line.split(maxsplit=2)[2] for line in lines[1:3]] == ["me", "it's mine"]
    assert json.loads(lines[-1].partition("=")[2]) == {
        "conn_type": "candid",
        "login": "me",
        "password": "it's mine",
        "host": url,
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("connected", [False, True])
def test_a_signal_ends_it_at_once_and_well(number: int, connected: bool) -> None:
    with (
        served("--port", "0", "--encounters", "10") as (process, lines),
        httpx.Client(base_url=url_of(lines)) as http,
    ):
        # A kept-alive connection must not hold it up.
        if connected:
            assert http.get("/_emulator/health").is_success
        started = time.monotonic()
        assert ended(process, number)[0] == 0
        assert time.monotonic() - started < 5  # half a second, unless the machine is busy


def test_a_port_in_use_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = run("--port", str(port))
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith(f"error: cannot listen on 127.0.0.1 port {port}: ")
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--encounters", "-1"], "encounters"),
        (["--patients", "0"], "patients"),
        (["--days", "0"], "days"),
        (["--client-id", ""], "client_id"),
        (["--as-of", "soon"], "--as-of"),
        (["--as-of", "0001-01-01"], "as_of"),
    ],
)
def test_a_bad_option_is_named(arguments: list[str], named: str) -> None:
    finished = run(*arguments)
    assert finished.returncode == 2
    assert named in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr


def test_a_port_out_of_range_is_one_line_and_exit_code_1() -> None:
    finished = run("--port", "70000")
    assert (finished.returncode, finished.stderr.count("\n")) == (1, 1)


def test_a_second_port_serves_the_same_api() -> None:
    second = free_port()
    with served("--port", "0", "--pre-encounter-port", str(second)) as (process, lines):
        assert lines[1] == f"listening on http://127.0.0.1:{second}"
        assert httpx.get(f"http://127.0.0.1:{second}/pem").content == httpx.get(f"{url_of(lines)}/pem").content
        assert ended(process, signal.SIGTERM)[0] == 0


def test_the_access_log_has_routes_but_no_ids_or_queries() -> None:
    with served("--port", "0", "--access-log", "--encounters", "10") as (process, lines):
        httpx.get(f"{url_of(lines)}/api/encounters/v4/some-id?external_id=secret-value")
        _, _, err = ended(process, signal.SIGTERM)
    assert err.startswith("GET /api/encounters/v4/{encounter_id} 401 ")
    assert err.count("\n") == 1


def test_there_is_no_access_log_by_default() -> None:
    with served("--port", "0", "--encounters", "10") as (process, lines):
        httpx.get(f"{url_of(lines)}/api/encounters/v4")
        assert ended(process, signal.SIGTERM)[2] == ""


def test_the_help_shows_examples() -> None:
    text = run("--help").stdout
    assert "examples:" in text
    assert "--token-lifetime" in text


def test_importing_the_package_does_not_load_the_web_framework() -> None:
    code = "import sys, candid_provider.emulator as e; e.add_arguments; sys.exit('starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=False).returncode == 0


# --- in a thread


def test_many_run_side_by_side_and_share_nothing() -> None:
    with ExitStack() as stack:
        emulators = [stack.enter_context(running(EmulatorConfig(encounters=n))) for n in range(1, 6)]
        for emulator in emulators[:2]:
            with connected(emulator) as http:
                assert http.get("/api/payers/v4").is_success
        assert len({emulator.url for emulator in emulators}) == 5
        assert [emulator.stats()["token"]["minted"] for emulator in emulators] == [1, 1, 0, 0, 0]


def test_it_leaves_no_thread_and_no_listener_behind() -> None:
    before = set(threading.enumerate())
    with running(EmulatorConfig(encounters=1)) as emulator, connected(emulator) as http:
        http.get("/api/payers/v4")
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(emulator.url)


def test_an_exception_in_the_block_is_not_swallowed() -> None:
    with pytest.raises(LookupError), running(EmulatorConfig(encounters=1)):
        raise LookupError


def test_latency_delays_api_answers_only() -> None:
    with running(EmulatorConfig(encounters=1, latency=80)) as emulator, httpx.Client(base_url=emulator.url) as http:
        # A busy machine delays some answers, but not all.
        at_once = min(seconds_of(http, "/_emulator/health") for _ in range(20))
        assert at_once < 0.08 <= seconds_of(http, "/api/payers/v4")


def seconds_of(http: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    http.get(path)
    return time.perf_counter() - started


def test_stats_count_requests_by_route_and_bytes() -> None:
    config = EmulatorConfig(encounters=3, seed=5, latency=1, rate_limit=9)
    with running(config) as emulator, connected(emulator) as http:
        sizes = [len(http.get(path).content) for path in ("/api/encounters/v4?limit=1", "/api/events/v1", "/nowhere")]
        stats = http.get("/_emulator/stats").json()
        assert stats == emulator.stats()
    assert stats["requests"] == {
        "POST /api/auth/v2/token": 1,
        "GET /api/encounters/v4": 1,
        "GET /api/events/v1/": 1,
        "GET (unknown)": 1,
    }
    assert stats["statuses"] == {"200": 3, "501": 1}
    assert stats["bytes_sent"] > sum(sizes)
    expected: dict[str, Any] = {
        "seed": 5,
        "as_of": config.as_of.isoformat(),
        "days": 30,
        "speed": 0.0,
        "lifetime": 18000,
    }
    assert stats["config"] == expected | {"rate_limit": 9, "latency": 1}
