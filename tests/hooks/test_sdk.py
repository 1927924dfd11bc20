"""The official SDK on the shared token; each test names the defect of the bare SDK that this avoids."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
from candid.core.api_error import ApiError

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.hooks.candid import CandidHook
from tests.conftest import Connect
from tests.emulator.test_sdk import client as bare
from tests.oauth.scripted import TOKEN_PATH, answer, self_signed, serving

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.requirement(25)]

TOKEN = answer({"access_token": "by-proxy", "expires_in": 18000, "token_type": "Bearer"})
PAYERS = answer({"items": [], "prev_page_token": None, "next_page_token": None})


@pytest.mark.requirement(25)
def test_it_reads_on_the_shared_token(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        hook.get_token()
        page = hook.sdk().encounters.v_4.get_all(limit=3)
    assert len(page.items) == 3
    assert candid.stats()["token"]["minted"] == 1


def test_both_hosts_are_reached(connect: Connect) -> None:
    with CandidHook() as hook:
        assert hook.sdk().pre_encounter.coverages.v_1.scan(since=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.requirement(25)
def test_the_async_client_shares_it_too(candid: Emulator, connect: Connect) -> None:
    async def read() -> int:
        async with CandidHook().async_sdk() as client:
            pages = await asyncio.gather(*(client.payers.v_4.get_all(limit=2) for _ in range(10)))
        return sum(len(page.items) for page in pages)

    assert asyncio.run(read()) == 20
    assert candid.stats()["token"]["minted"] == 1


@pytest.mark.requirement(25)
def test_a_token_revoked_in_mid_run_is_replaced(candid: Emulator, connect: Connect) -> None:
    with bare(candid) as alone:
        alone.payers.v_4.get_all(limit=1)
        candid.revoke_tokens()
        with pytest.raises(ApiError):
            alone.payers.v_4.get_all(limit=1)
    with CandidHook() as hook:
        hook.sdk().payers.v_4.get_all(limit=1)
        candid.revoke_tokens()
        assert hook.sdk().payers.v_4.get_all(limit=1).items


def test_a_short_life_does_not_mean_a_token_a_request(connect: Connect) -> None:
    config = EmulatorConfig(as_of=date(2026, 3, 15), encounters=10, token_lifetime=120)
    with running(config) as emulator, bare(emulator) as alone:
        for _ in range(5):
            alone.payers.v_4.get_all(limit=1)
        assert emulator.stats()["token"]["minted"] == 5
        connect(host=emulator.url)
        with CandidHook() as hook:
            for _ in range(5):
                hook.sdk().payers.v_4.get_all(limit=1)
        assert emulator.stats()["token"]["minted"] == 6


def test_its_urls_are_not_logged(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), CandidHook() as hook:
        hook.sdk().payers.v_4.get_all(limit=1, search_term="qzx-search")
    assert "GET /api/payers/v4" in caplog.text
    assert "qzx-search" not in caplog.text


def test_both_are_sent_through_the_proxy_which_the_bare_sdk_does_with_its_calls_only(
    candid: Emulator, connect: Connect
) -> None:
    with serving() as proxy:
        proxy.answers = [PAYERS]
        with httpx.Client(proxy=proxy.url) as http, bare(candid, httpx_client=http) as alone:
            alone.payers.v_4.get_all(limit=1)
        assert [request.target for request in proxy.requests] == [f"{candid.url}/api/payers/v4?limit=1"]
        proxy.requests.clear()
        proxy.answers = [TOKEN, PAYERS]
        code = """
from candid_provider.hooks.candid import CandidHook
with CandidHook() as hook:
    hook.sdk().payers.v_4.get_all(limit=1)
"""
        environment = {**os.environ, "http_proxy": proxy.url, "no_proxy": "", "NO_PROXY": ""}
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True, timeout=60)
    expected = [f"{candid.url}{TOKEN_PATH}", f"{candid.url}/api/payers/v4?limit=1"]
    assert [request.target for request in proxy.requests] == expected


def test_a_certificate_authority_of_ones_own_holds_for_both(connect: Connect, tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    with serving(pem) as server:
        connect(host=server.url)
        server.answers = [PAYERS]
        code = """
from candid_provider.hooks.candid import CandidHook
with CandidHook() as hook:
    hook.sdk().payers.v_4.get_all(limit=1)
"""
        environment = {**os.environ, "SSL_CERT_FILE": str(pem)}
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True, timeout=60)
        assert (len(server.token_requests), len(server.requests)) == (1, 1)


def test_it_is_not_imported_before_it_is_asked_for() -> None:
    code = "import sys, candid_provider.hooks.candid; assert 'candid' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
