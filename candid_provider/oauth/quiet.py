"""No word of our requests in the logs of httpx and httpcore, which print URLs, queries and headers."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Iterator

_ours: contextvars.ContextVar[bool] = contextvars.ContextVar("candid_request", default=False)


def _not_ours(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or not _ours.get()


# httpx prints at INFO, httpcore at DEBUG. A filter does not pass on to child loggers, so httpcore's are named
# one by one.
for _name in (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
):
    logging.getLogger(_name).addFilter(_not_ours)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what is sent within, by this thread or task, out of those logs."""
    mark = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(mark)
