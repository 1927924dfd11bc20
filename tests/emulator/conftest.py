from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running

SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=130, days=10, payers=23)


def rows_in(page: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page["records"] if "records" in page else page["items"]
    return rows


class Api:
    """A signed-in client of one emulator, with the loops a caller would write."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params)

    def ok(self, path: str, **params: Any) -> Any:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refuses(self, path: str, name: str, value: str, **others: str) -> None:
        """A value is refused with 422, and the parameter named."""
        answer = self.get(path, **{name: value}, **others)
        assert answer.status_code == 422
        body = answer.json()
        assert body["errorName"] == "HttpRequestValidationsError"
        assert [item["fieldName"] for item in body["content"]] == [name]
        assert body["errorInstanceId"]

    def pages(self, path: str, **params: Any) -> list[dict[str, Any]]:
        pages = [self.ok(path, **params)]
        while token := pages[-1]["next_page_token"]:
            pages.append(self.ok(path, **params, page_token=token))
        return pages

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        return [row for page in self.pages(path, **params) for row in rows_in(page)]

    def scan(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of a `since` scan: go on from the last time seen until a page brings nothing new."""
        seen: dict[str, dict[str, Any]] = {}
        since = "2000-01-01T00:00:00Z"
        while fresh := [row for row in self.ok(path, since=since, **params) if row["id"] not in seen]:
            seen |= {row["id"]: row for row in fresh}
            since = fresh[-1]["updated_at"]
        return list(seen.values())


def sign_in(emulator: Emulator) -> str:
    credentials = {"client_id": emulator.config.client_id, "client_secret": emulator.config.client_secret}
    answer = httpx.post(f"{emulator.url}/api/auth/v2/token", json=credentials)
    return str(answer.json()["access_token"])


def connected(emulator: Emulator) -> httpx.Client:
    return httpx.Client(base_url=emulator.url, headers={"authorization": f"Bearer {sign_in(emulator)}"})


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with running(SMALL) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def encounters(api: Api) -> list[dict[str, Any]]:
    return api.rows("/api/encounters/v4", limit=1000)


@pytest.fixture(scope="session")
def api(emulator: Emulator) -> Iterator[Api]:
    with connected(emulator) as http:
        yield Api(http)
