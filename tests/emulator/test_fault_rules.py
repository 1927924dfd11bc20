"""Where rules come from, and what is said of a wrong one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.faults.fault_rules import BadRule, rule_from, rule_from_text, rules_in_file

from .conftest import connected
from .test_server import ended, run, served, url_of

SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=10, patients=10, days=10, payers=5)
LINE = "status route='GET /api/encounters/v4' status=503 count=2 retry_after=date"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(SMALL) as emulator:
        yield emulator


@pytest.fixture
def control(emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emulator.url}/_emulator") as http:
        yield http


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "kind"),
    ({"kind": "explode"}, "kind"),
    ({"kind": ["status"]}, "kind"),
    ({"kind": "status"}, "status"),
    ({"kind": "status", "status": 200}, "status"),
    ({"kind": "status", "status": True}, "status"),
    ({"kind": "status", "status": "503"}, "status"),
    ({"kind": "status", "status": 503, "count": 0}, "count"),
    ({"kind": "status", "status": 503, "count": "often"}, "count"),
    ({"kind": "status", "status": 503, "every": 0}, "every"),
    ({"kind": "status", "status": 503, "every": None}, "every"),
    ({"kind": "status", "status": 503, "after": -1}, "after"),
    ({"kind": "status", "status": 503, "probability": 1.5}, "probability"),
    ({"kind": "status", "status": 503, "seed": "x"}, "seed"),
    ({"kind": "status", "status": 503, "route": "GET /api/encounter/v4"}, "route"),
    ({"kind": "status", "status": 503, "route": ""}, "route"),
    ({"kind": "status", "status": 503, "colour": "red"}, "colour"),
    ({"kind": "status", "status": 503, "retry_after": "soon"}, "retry_after"),
    ({"kind": "status", "status": 503, "content": "x"}, "content"),
    ({"kind": "status", "error_name": "NoSuchError"}, "error_name"),
    ({"kind": "status", "error_name": "UnauthorizedError", "status": 401}, "status"),
    ({"kind": "token_endpoint_down", "how": "slowly"}, "how"),
    ({"kind": "token_endpoint_down", "route": "*"}, "route"),
    ({"kind": "latency"}, "ms"),
    ({"kind": "latency", "ms": 1, "jitter": -1}, "jitter"),
    ({"kind": "reset", "after_bytes": -1}, "after_bytes"),
    ({"kind": "truncated", "fraction": 2}, "fraction"),
    ({"kind": "wrong_content_type", "content_type": "text/html\r\nx: y"}, "content_type"),
    ({"kind": "processed_but_500", "status": 404}, "status"),
    ({"kind": "processed_but_500", "reset": 1}, "reset"),
    ({"kind": "unknown_enum", "field": ""}, "field"),
]


@pytest.mark.parametrize(("rule", "field"), WRONG, ids=str)
def test_a_wrong_field_is_named(rule: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRule) as wrong:
        rule_from(rule)
    assert wrong.value.field == field
    assert str(wrong.value).startswith(f"{field}: ")


def test_a_wrong_rule_in_a_list_adds_none_of_it(emulator: Emulator, control: httpx.Client) -> None:
    answer = control.post("/faults", json=[{"kind": "hang"}, {"kind": "latency", "ms": "long"}])
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", 1, "ms"]]
    assert control.get("/faults").json() == {"faults": []}


def test_what_is_no_json_is_refused(control: httpx.Client) -> None:
    for content in (b"status=503", b"", b'"\xff"', b"[" * 100_000):
        assert control.post("/faults", content=content).status_code == 422
    assert control.post("/faults", json="status").status_code == 422


def test_rules_are_added_listed_and_ended_over_http(emulator: Emulator, control: httpx.Client) -> None:
    rule = {"kind": "status", "route": "payers.*", "status": 503, "count": 2}
    assert control.post("/faults", json=rule).json() == {"ids": [1]}
    added = control.post("/faults", json=[{"kind": "hang", "route": "events.*"}, {"kind": "latency", "ms": 1}])
    assert (added.status_code, added.json()) == (201, {"ids": [2, 3]})
    with connected(emulator) as http:
        assert http.get("/api/payers/v4").status_code == 503
    listed = {row["id"]: row for row in control.get("/faults").json()["faults"]}
    assert listed[1] | rule == listed[1]
    # The token was asked for first, which the second rule does not mean and the third does.
    assert [(row["seen"], row["fired"]) for row in listed.values()] == [(1, 1), (0, 0), (2, 1)]
    assert control.delete("/faults/2").json() == {"removed": 1}
    assert control.delete("/faults/2").status_code == 404
    assert control.delete("/faults").json() == {"removed": 2}
    assert control.get("/faults").json() == {"faults": []}
    assert control.post("/faults", json=rule).json() == {"ids": [4]}


def test_python_and_http_speak_of_the_same_rules(emulator: Emulator, control: httpx.Client) -> None:
    rule = emulator.faults.add(kind="hang")
    assert control.get("/faults").json()["faults"] == json.loads(json.dumps(emulator.faults.rules()))
    assert emulator.faults.remove(rule)
    assert not emulator.faults.remove(rule)


def test_two_emulators_share_no_rule(emulator: Emulator) -> None:
    with running(SMALL) as other:
        other.faults.add(kind="status", status=503, count=None)
        with connected(emulator) as http:
            assert http.get("/api/payers/v4").status_code == 200
        assert emulator.faults.rules() == []


# --- files and the command line


def test_a_line_says_what_a_dictionary_says() -> None:
    rule = {
        "kind": "status",
        "route": "GET /api/encounters/v4",
        "status": 503,
        "count": 2,
        "retry_after": "date",
    }
    assert rule_from_text(LINE) == rule_from(rule)
    assert rule_from_text("hang count=null") == rule_from_text("hang count=forever")
    content = rule_from_text('status error_name=NotFoundError content=\'{"message": "gone"}\'')
    assert content.details["content"] == {"message": "gone"}


JSON = '[{"kind": "hang", "count": null}, {"kind": "latency", "ms": 5}]'
TOML = '[[faults]]\nkind = "hang"\ncount = "forever"\n[[faults]]\nkind = "latency"\nms = 5\n'


@pytest.mark.parametrize(
    ("name", "content"), [("f.json", JSON), ("f.toml", TOML), ("g.json", f'{{"faults": {JSON}}}')]
)
def test_rules_from_a_file(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert rules_in_file(file) == [
        rule_from({"kind": "hang", "count": None}),
        rule_from({"kind": "latency", "ms": 5}),
    ]


def test_rules_on_the_command_line_are_in_force(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(TOML)
    with served("--port", "0", "--fault", LINE, "--faults", str(file), "--fault", "reset") as (process, lines):
        rules = httpx.get(f"{url_of(lines)}/_emulator/faults").json()["faults"]
        assert [rule["kind"] for rule in rules] == ["hang", "latency", "status", "reset"]
        assert ended(process, 2) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "status status=99"], "--fault 'status status=99': status: must be a whole number"),
        (["--fault", "status 503"], "503: needs a value"),
        (["--fault", "status status='503"], "--fault"),
        (["--fault", ""], "kind: is missing"),
        (["--faults", "absent.json"], "--faults absent.json: "),
    ],
)
def test_a_wrong_rule_on_the_command_line_is_named(arguments: list[str], says: str) -> None:
    done = run("--port", "0", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: --fault")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_rule_in_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"kind": "hang"}, {"kind": "latency"}]')
    done = run("--port", "0", "--faults", str(file))
    assert (done.returncode, done.stderr) == (2, f"error: --faults {file}: rule 2: ms: is required\n")
