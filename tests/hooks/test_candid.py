"""The hook, against the emulator, with connections from the environment as in a task."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import Connection

from candid_provider.api.call import Call
from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidAuthError, CandidConfigError, CandidNotFoundError
from candid_provider.hooks.candid import CandidHook
from candid_provider.hooks.connection import settings_of
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import FileTokenStore, MemoryTokenStore
from tests.conftest import Connect


def test_a_request_is_answered_on_a_managed_token(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        answer = hook.request("GET", "/api/payers/v4", params={"limit": 3})
    assert len(answer["items"]) == 3
    assert candid.stats()["token"]["minted"] == 1


def test_all_hooks_of_a_process_share_one_token(candid: Emulator, connect: Connect) -> None:
    for _ in range(5):
        with CandidHook() as hook:
            hook.request("GET", "/api/payers/v4")
    assert candid.stats()["token"]["minted"] == 1


@pytest.mark.requirement(11)
def test_connections_with_equal_credentials_share_a_token(
    candid: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_CANDID_TWIN",
        f'{{"conn_type":"candid","login":"emulator","password":"emulator-secret","host":"{candid.url}",'
        '"extra":{"store":"memory","timeout":5}}',
    )
    assert CandidHook().get_token() == CandidHook("candid_twin").get_token()


def test_the_client_is_an_httpx_client_with_the_api_as_its_base(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        client = hook.get_conn()
        answer = client.get("/api/payers/v4")
    assert isinstance(client, httpx.Client)
    assert answer.status_code == 200
    assert answer.request.headers["User-Agent"].startswith("airflow-provider-candid/")


def test_the_async_client_is_authorised_too(candid: Emulator, connect: Connect) -> None:
    async def ask() -> int:
        async with await CandidHook().get_async_conn() as client:
            return (await client.get("/api/payers/v4")).status_code

    assert asyncio.run(ask()) == 200


def test_a_call_is_sent_without_holding_the_event_loop(candid: Emulator, connect: Connect) -> None:
    async def ask() -> Any:
        hook = CandidHook()
        call = Call(method="GET", path="/api/payers/v4")
        return await asyncio.gather(*(hook.asend(call) for _ in range(10)))

    assert len(asyncio.run(ask())) == 10
    assert candid.stats()["token"]["minted"] == 1


def test_a_path_outside_api_goes_to_the_pre_encounter_host(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook, pytest.raises(CandidNotFoundError) as caught:
        hook.request("GET", "/patients/v1/00000000-0000-0000-0000-000000000000")
    assert caught.value.route == "GET /patients/v1/{id}"


def test_pages_take_a_resource_by_name(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        rows = sum(len(page.rows) for page in hook.pages("encounters", params={"limit": 50}))
    assert rows == 420


@pytest.mark.requirement(3)
def test_a_token_revoked_between_pages_is_replaced_once(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        rows = 0
        for number, page in enumerate(hook.pages("encounters", params={"limit": 100})):
            rows += len(page.rows)
            if number == 1:
                candid.revoke_tokens()
    assert rows == 420
    assert candid.stats()["token"]["minted"] == 2


def test_an_unknown_resource_suggests_the_nearest(connect: Connect) -> None:
    with CandidHook() as hook, pytest.raises(CandidConfigError, match="Did you mean 'encounters'"):
        hook.pages("encounter")


def test_a_store_given_to_the_hook_is_used(candid: Emulator, connect: Connect) -> None:
    store = MemoryTokenStore()
    CandidHook(token_store=store).get_token()
    assert any("candid_token__" in register for register in store._registers)


def test_the_file_store_of_the_connection_shares_between_processes(
    candid: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    connect(extra={"store": "file"})
    CandidHook().get_token()
    assert any(FileTokenStore().load(path.name) for path in (tmp_path / "airflow-provider-candid").iterdir())


class OwnStore(MemoryTokenStore):
    """A store of a deployment's own, as a connection may name it."""


def test_a_store_of_ones_own_is_named_by_its_path(candid: Emulator, connect: Connect) -> None:
    connect(extra={"store": "tests.hooks.test_candid.OwnStore"})
    hook = CandidHook()
    hook.get_token()
    assert hook.token_state().token


@pytest.mark.parametrize(
    "path", ["no.such.Store", "tests.hooks.test_candid.Missing", "datetime.datetime", "os.getcwd"]
)
def test_a_path_that_leads_to_no_store_is_named(connect: Connect, path: str) -> None:
    connect(extra={"store": path}, login=f"client-of-{path}")
    with pytest.raises(CandidConfigError, match="store") as caught:
        CandidHook().get_token()
    assert caught.value.field == "store"


@pytest.mark.requirement(24)
def test_decisions_are_counted_through_airflows_stats(candid: Emulator, connect: Connect) -> None:
    counted: Counter[str] = Counter()
    settings = CandidHook()._settings
    source = TokenSource(
        settings.credentials, MemoryTokenStore(), on_decision=lambda decision: counted.update([decision])
    )
    source.token(refused=source.token().value)
    assert counted == {"mint": 2, "minted": 2, "fence": 1}


@pytest.mark.requirement(6)
def test_the_token_is_masked_in_task_logs(candid: Emulator, connect: Connect) -> None:
    from airflow.providers.common.compat.sdk import redact

    token = CandidHook().get_token()
    assert token not in str(redact(f"Bearer {token}"))
    assert "emulator-secret" not in str(redact("secret emulator-secret"))


def test_a_wrong_secret_is_remembered_by_the_process(candid: Emulator, connect: Connect) -> None:
    connect(password="another-wrong-secret")
    for _ in range(3):
        with CandidHook() as hook, pytest.raises(CandidAuthError):
            hook.request("GET", "/api/payers/v4")
    assert candid.stats()["token"]["refused"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"host": None, "extra": {}}, "environment"),
        ({"host": None, "extra": {"environment": "prod"}}, "environment"),
        ({"host": "http://api.example.com"}, "host"),
        ({"host": "https://api.example.com/../x"}, "host"),
        ({"login": ""}, "login"),
        ({"password": ""}, "password"),
        ({"extra": {"token_store": "variable"}}, "token_store"),
        ({"extra": {"store": "redis"}}, "store"),
        ({"extra": {"timeout": "soon"}}, "timeout"),
        ({"extra": "not json"}, "extra"),
        ({"schema": "ftp"}, "schema"),
    ],
)
def test_a_wrong_connection_names_the_field_before_anything_is_sent(
    candid: Emulator, connect: Connect, changes: dict[str, Any], field: str
) -> None:
    connect(**changes)
    with pytest.raises(CandidConfigError) as caught:
        CandidHook().get_conn()
    assert caught.value.field == field
    assert field in str(caught.value)
    assert sum(candid.stats()["requests"].values()) == 0


def test_a_connection_as_uri_reads_like_one_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CANDID_URI", "candid://my-id:s%2Fecret@/?environment=staging&timeout=30")
    settings = CandidHook("candid_uri")._settings
    assert (settings.client_id, settings.client_secret, settings.timeout) == ("my-id", "s/ecret", 30.0)
    assert settings.candid_api == "https://api-staging.joincandidhealth.com"


def test_a_uri_may_name_a_host_of_its_own() -> None:
    connection = Connection(
        conn_id="c", conn_type="candid", login="i", password="s", host="127.0.0.1", port=5050, schema="http"
    )
    assert settings_of(connection).candid_api == "http://127.0.0.1:5050"


def test_what_the_form_saves_for_empty_fields_counts_as_absent() -> None:
    extra = '{"environment": "staging", "store": null, "timeout": null, "pre_encounter_url": "", "auth_url": null}'
    connection = Connection(conn_id="c", conn_type="candid", login="i", password="s", extra=extra)
    settings = settings_of(connection)
    assert (settings.store, settings.timeout) == ("variable", 60.0)


@pytest.mark.requirement(5)
def test_neither_query_nor_bearer_is_logged_at_debug(
    candid: Emulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), CandidHook() as hook:
        hook.request("GET", "/api/payers/v4", params={"search_term": "qzx-search"})
        token = hook.get_token()
    assert "GET /api/payers/v4" in caplog.text
    assert "qzx-search" not in caplog.text
    assert token not in caplog.text
    assert "emulator-secret" not in caplog.text
