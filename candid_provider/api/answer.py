"""From an answer to the typed error that says what it means, without a word of its body."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from candid_provider.exceptions import (
    CandidAuthError,
    CandidConflictError,
    CandidError,
    CandidNotFoundError,
    CandidRateLimitError,
    CandidRequestError,
    CandidUnavailableError,
)
from candid_provider.oauth.retry_after import retry_after_seconds
from candid_provider.oauth.unreadable import UNREADABLE

if TYPE_CHECKING:
    from candid_provider.api.call import Call

TAKEN = frozenset({"EncounterExternalIdUniquenessError", "EncounterPatientControlNumberUniquenessError"})
"""422 answers that mean: this external id exists (Candid: POST /api/encounters/v4)."""

NEVER = frozenset({501, 505})
"""5xx answers that say the server cannot do it at all."""


def error_from(answer: httpx.Response, call: Call) -> CandidError | None:
    """Say which error an answer means; None for a success."""
    status = answer.status_code
    if 200 <= status < 300:
        return None
    body = _json(answer)
    name, instance, fields = _name(body.get("errorName")), _uuid(body.get("errorInstanceId")), _fields(body)
    text = f"{call.route}: Candid answered HTTP {status}"
    text += f" {name}" if name else ""
    text += f" (fields: {', '.join(fields)})" if fields else ""
    text += f" [errorInstanceId {instance}]" if instance else ""
    after = retry_after_seconds(answer.headers.get("retry-after"), time.time())
    if status == 401:
        return CandidAuthError(
            f"{text}: it refused a token that was minted a moment ago; check that the credentials belong to the"
            " connection's environment"
        )
    if status == 429:
        return CandidRateLimitError(
            text, retry_after=after, route=call.route, error_name=name, error_instance_id=instance
        )
    if status < 400 or status >= 500 or status == 408:
        return _unavailable(text, status, name, after, call)
    return _kind(status, name)(
        text, status_code=status, error_name=name, error_instance_id=instance, route=call.route, fields=fields
    )


def _unavailable(text: str, status: int, name: str | None, after: float | None, call: Call) -> CandidUnavailableError:
    if status < 400:
        text += ", a redirect, which is not followed: check the connection's host"
    final = status < 400 or status in NEVER
    return CandidUnavailableError(
        text,
        route=call.route,
        status_code=status,
        error_name=name,
        retry_after=after,
        outcome_unknown=not call.retry and not final,
        retryable=not final,
    )


def _kind(status: int, name: str | None) -> type[CandidRequestError]:
    if status == 404:
        return CandidNotFoundError
    if status == 409 or name in TAKEN:
        return CandidConflictError
    return CandidRequestError


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(answer.content)
    except UNREADABLE:
        return {}
    return body if isinstance(body, dict) else {}


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z]\w{0,99}", value) else None


def _uuid(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F-]{32,36}", value) else None


def _fields(body: dict[str, Any]) -> tuple[str, ...]:
    """Read the names of refused fields: Candid's validation errors and FastAPI's."""
    content = body.get("content")
    single = content if isinstance(content, list) else [content]
    named = [entry.get("fieldName") for entry in single if isinstance(entry, dict)]
    detail = body.get("detail")
    for entry in detail if isinstance(detail, list) else []:
        loc = entry.get("loc") if isinstance(entry, dict) else None
        named.append(".".join(str(part) for part in loc) if isinstance(loc, list) else None)
    # Names only: a server that puts a value where a name belongs does not get it into our logs.
    return tuple(n for n in named if isinstance(n, str) and re.fullmatch(r"[A-Za-z_][\w.\[\]-]{0,99}", n))
