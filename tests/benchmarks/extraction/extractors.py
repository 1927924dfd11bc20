"""The ways to extract all encounters that are compared; ``python -m`` runs one of them in a process of its own.

Each is made ready with the URL of an emulator and a folder, and then writes what it reads below that folder.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from candid_provider.transfers.extraction.formats import GZIP_LEVEL
from tests.benchmarks.memory import forget_peak
from tests.benchmarks.token.clients import CLIENT_ID, CLIENT_SECRET, static_header

ENCOUNTERS = "/api/encounters/v4"
SINCE, UNTIL = "2026-02-01", "2026-03-31"
"""They hold all days of the emulator's world."""

Extract = Callable[[], int]
Query = Mapping[str, Any]
NOTHING: Query = {}


class _Raw(msgspec.Struct):
    items: list[msgspec.Raw]
    next_page_token: str | None = None


class _NextOnly(msgspec.Struct):
    next_page_token: str | None = None


def raw_bytes(url: str, folder: Path, page: int) -> Extract:
    """Whole pages to a file, as they come."""
    return _bare(url, folder, page, msgspec.json.Decoder(_NextOnly), lambda answer, content: (content, 0))


def raw_rows(url: str, folder: Path, page: int) -> Extract:
    """The floor: rows cut out of each page with `msgspec.Raw`, one page after the other."""
    return _bare(url, folder, page, msgspec.json.Decoder(_Raw), _cut)


def raw_gzip(url: str, folder: Path, page: int) -> Extract:
    """The floor, with each page packed by gzip before the next one is asked for."""
    packer = zlib.compressobj(GZIP_LEVEL, wbits=31)

    def pack(answer: Any, content: bytes) -> tuple[bytes, int]:
        lines, count = _cut(answer, content)
        return packer.compress(lines) + packer.flush(zlib.Z_SYNC_FLUSH), count

    return _bare(url, folder, page, msgspec.json.Decoder(_Raw), pack)


def _cut(answer: Any, content: bytes) -> tuple[bytes, int]:
    return b"".join(bytes(row) + b"\n" for row in answer.items), len(answer.items)


def _bare(
    url: str, folder: Path, page: int, decoder: Any, write: Callable[[Any, bytes], tuple[bytes, int]]
) -> Extract:
    http = httpx.Client(base_url=url, headers=static_header(url), timeout=60)

    def extract() -> int:
        params: dict[str, Any] = {"limit": page}
        rows = 0
        with (folder / "rows.jsonl").open("wb") as file:
            while True:
                content = http.get(ENCOUNTERS, params=params).raise_for_status().content
                answer = decoder.decode(content)
                lines, count = write(answer, content)
                file.write(lines)
                rows += count
                if not answer.next_page_token:
                    return rows
                params["page_token"] = answer.next_page_token

    return extract


def ours(url: str, folder: Path, page: int, between: Query = NOTHING, **options: Any) -> Extract:
    """This provider's operator, to JSON lines."""
    from candid_provider.api.limit import RateLimit
    from candid_provider.hooks.candid import CandidHook
    from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

    def extract(name: str, query: Query = NOTHING) -> int:
        operator = CandidToObjectStorageOperator(
            task_id="encounters",
            resource="encounters",
            path=str(folder / name),
            **options,
            query={"limit": page, **between, **query},
        )
        # Candid's limit of 1,000 requests in 10 seconds would be all that is measured.
        operator.hook = CandidHook(rate_limit=RateLimit(10**6))
        return int(operator.execute({})["rows"])

    # What is imported and asked for once, such as the token, is there before the first page.
    extract("warm", {"date_of_service_min": UNTIL, "date_of_service_max": UNTIL})
    return lambda: extract("rows")


def ours_gzip(url: str, folder: Path, page: int) -> Extract:
    """This provider's operator, to gzip."""
    return ours(url, folder, page, compression="gzip")


def ours_zstd(url: str, folder: Path, page: int) -> Extract:
    """This provider's operator, to zstd."""
    return ours(url, folder, page, compression="zstd")


def ours_parquet(url: str, folder: Path, page: int) -> Extract:
    """This provider's operator, to Parquet."""
    return ours(url, folder, page, format="parquet")


def ours_windows(url: str, folder: Path, page: int) -> Extract:
    """This provider's operator, four windows of service dates at once."""
    between = {"date_of_service_min": SINCE, "date_of_service_max": UNTIL}
    return ours(url, folder, page, between=between, parallel_windows=4)


def sdk(url: str, folder: Path, page: int) -> Extract:
    """The official SDK, each model to a line of JSON."""
    from candid import CandidApiClient
    from candid.environment import CandidApiClientEnvironment

    environment = CandidApiClientEnvironment(candid_api=url, pre_encounter=url)
    client = CandidApiClient(environment=environment, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

    def extract() -> int:
        token, rows = None, 0
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            while True:
                answer = client.encounters.v_4.get_all(limit=page, page_token=token)
                for encounter in answer.items:
                    file.write(encounter.json() + "\n")
                rows += len(answer.items)
                if not (token := answer.next_page_token):
                    return rows

    return extract


def http_operator(url: str, folder: Path, page: int) -> Extract:
    """The HTTP provider's operator with its pagination, which gathers all answers first."""
    from airflow.providers.http.operators.http import HttpOperator

    os.environ["AIRFLOW_CONN_HTTP_CANDID"] = json.dumps({"conn_type": "http", "host": url})

    def following(response: Any) -> dict[str, Any] | None:
        token = response.json().get("next_page_token")
        return {"data": {"limit": page, "page_token": token}} if token else None

    def write(responses: Any) -> int:
        rows = 0
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            for response in responses:
                for row in response.json()["items"]:
                    file.write(json.dumps(row) + "\n")
                    rows += 1
        return rows

    operator = HttpOperator(
        task_id="encounters",
        http_conn_id="http_candid",
        method="GET",
        endpoint=ENCOUNTERS,
        data={"limit": page},
        headers=static_header(url),
        pagination_function=following,
        response_filter=write,
    )
    return lambda: int(operator.execute({}))


def dlt(url: str, folder: Path, page: int) -> Extract:
    """A dlt pipeline with its REST client, to JSON lines."""
    import dlt as dlt_package
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

    os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = str(folder / "bucket")
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    client = RESTClient(
        base_url=url,
        headers=static_header(url),
        paginator=JSONResponseCursorPaginator(cursor_path="next_page_token", cursor_param="page_token"),
    )
    pipeline = dlt_package.pipeline(
        "encounters", pipelines_dir=str(folder / "dlt"), destination="filesystem", dataset_name="candid"
    )

    def extract() -> int:
        rows = 0

        @dlt_package.resource(name="encounters", max_table_nesting=0)  # type: ignore[untyped-decorator]  # dlt is skipped
        def encounters() -> Any:
            nonlocal rows
            for found in client.paginate(ENCOUNTERS, params={"limit": page}, data_selector="items"):
                rows += len(found)
                yield found

        pipeline.run(encounters(), loader_file_format="jsonl")
        return rows

    return extract


EXTRACTORS: Mapping[str, Callable[[str, Path, int], Extract]] = {
    extractor.__name__: extractor
    for extractor in (
        raw_bytes,
        raw_rows,
        raw_gzip,
        ours,
        ours_gzip,
        ours_zstd,
        ours_parquet,
        ours_windows,
        sdk,
        http_operator,
        dlt,
    )
}


def main(name: str, url: str, folder: str, page: str) -> None:
    """Extract once and print rows, seconds, CPU seconds and megabytes of memory before and at most."""
    extract = EXTRACTORS[name](url, Path(folder), int(page))
    before = forget_peak()
    cpu, started = time.process_time(), time.perf_counter()
    rows = extract()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "before": before, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
