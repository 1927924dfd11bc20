"""A server that speaks the protocol of S3 over HTTP, in a process of its own: moto's."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

CONNECTION = "AIRFLOW_CONN_LAKE"
_numbers = itertools.count(1)


class Bucket:
    """A bucket, seen by a client that shares nothing with the code that is tested.

    :param url: the server's address.
    :param log: what the server prints: a line for each request.
    """

    def __init__(self, url: str, log: Path) -> None:
        self._log, self.name = log, f"billing-{next(_numbers)}"
        login = {"login": "key", "password": "object-store-secret"}
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        self.connection = json.dumps({"conn_type": "aws", **login, "extra": extra})
        self.environment = {CONNECTION: self.connection}
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
        self._client.create_bucket(Bucket=self.name)

    def path(self, key: str) -> str:
        """Give the URL that a user writes, with the connection in it."""
        return f"s3://lake@{self.name}/{key}"

    def keys(self, prefix: str = "") -> list[str]:
        """List what is there, below a prefix, without the prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def unfinished_uploads(self) -> int:
        """Count uploads in pieces that were neither completed nor aborted."""
        return len(self._client.list_multipart_uploads(Bucket=self.name).get("Uploads", ()))

    def puts(self) -> list[str]:
        """Name the files in the order in which they were put there, as the server tells."""
        return re.findall(rf'"PUT /{self.name}/(\S+) HTTP', self._log.read_text())


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Path]]:
    """Start the server on a free port of this machine; gives its address and its log."""
    log = folder / "s3.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"Running on (http://[\w.:]+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield found[1], log
    finally:
        process.kill()
        process.wait()
