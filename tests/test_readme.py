"""The README's data blocks; its DAGs run in tests/airflow, its commands in test_install.py."""

from __future__ import annotations

import json
import re

import pytest
from airflow.providers.common.compat.sdk import Connection

from candid_provider.hooks.candid import CandidHook
from candid_provider.hooks.connection import settings_of
from tests.airflow.conftest import readme_blocks
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_every_block_is_of_a_kind_that_a_test_runs() -> None:
    kinds = re.findall(r"^```(\w+)$", README, re.MULTILINE)
    assert sorted(kinds) == ["bash"] * 3 + ["json"] + ["python"] * 3 + ["text"] * 2


def test_the_json_connection_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = readme_blocks("json")
    monkeypatch.setenv("AIRFLOW_CONN_CANDID_DEFAULT", json.dumps(json.loads(block)))
    settings = settings_of(CandidHook().get_connection("candid_default"))
    assert (settings.client_id, settings.client_secret) == ("my-client-id", "my-client-secret")
    assert settings.candid_api == "https://api-staging.joincandidhealth.com"


def test_the_uri_connection_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _output, uri = readme_blocks("text")
    monkeypatch.setenv("AIRFLOW_CONN_CANDID_DEFAULT", uri.strip())
    (block,) = readme_blocks("json")
    fields = json.loads(block)
    twin = Connection(conn_id="twin", **{**fields, "extra": json.dumps(fields["extra"])})
    assert settings_of(CandidHook().get_connection("candid_default")) == settings_of(twin)


def test_the_demos_output_is_todays() -> None:
    output, _uri = readme_blocks("text")
    for line in ("tasks        24 in 24 processes", "token mints  1 for 22 processes that called Candid"):
        assert line in output
    assert output.count("ok     ") == 5


def test_links_lead_to_files() -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []
