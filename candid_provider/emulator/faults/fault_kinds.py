"""The kinds of faults: the fields of each, and its deed. Adding a kind is adding a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from candid_provider.emulator.faults import fault_deeds as deeds
from candid_provider.emulator.faults.declared_errors import declared_statuses
from candid_provider.emulator.faults.fault_deeds import After, Before

TOKEN_ROUTE: Final = "POST /api/auth/v2/token"
REQUIRED: Final = object()
FOR_EVER: Final = "forever"
_LONGEST: Final = 24 * 3_600

Check = Callable[[Any], Any]


def whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return check


def share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text that is not empty")
    return value


def header(value: Any) -> str:
    if not text(value).isascii() or not value.isprintable():
        raise ValueError("must be a header's value: printable ASCII")
    return str(value)


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def anything(value: Any) -> Any:
    return value


def one_of(*choices: str, otherwise: Check | None = None) -> Check:
    def check(value: Any) -> Any:
        if value in choices:
            return value
        named = ", ".join(choices)
        if otherwise is None:
            raise ValueError(f"must be one of {named}")
        try:
            return otherwise(value)
        except ValueError as problem:
            raise ValueError(f"{problem}, or one of {named}") from None

    return check


def error_name(value: Any) -> str:
    if value not in declared_statuses():
        raise ValueError("is no error that Candid declares")
    return str(value)


@dataclass(frozen=True)
class Field:
    """A field of a rule; null is allowed where it is the default."""

    check: Check
    default: Any = REQUIRED


@dataclass(frozen=True)
class Kind:
    """A kind of fault. One that `ends` a request leaves nothing for others of its sort to do.

    `once` kinds fire once unless a rule says otherwise, the others for ever.
    """

    about: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    before: Before | None = None
    after: After | None = None
    ends: bool = False
    once: bool = True
    route: str | None = None


_RETRY_AFTER: Final = {
    "retry_after": Field(one_of("date", otherwise=whole(0, _LONGEST)), None),
    "seconds": Field(whole(0, _LONGEST), 30),
}
_REFUSAL: Final = {
    "error_name": Field(error_name, None),
    "content": Field(anything, None),
    **_RETRY_AFTER,
}

# In the order in which they do their deeds when several strike one request.
KINDS: Final[Mapping[str, Kind]] = {
    "latency": Kind(
        "answers later: `ms`, and up to `jitter` ms more",
        {"ms": Field(whole(0, 600_000)), "jitter": Field(whole(0, 600_000), 0)},
        before=deeds.latency,
    ),
    "token_expired": Kind("this request's token is over, now and for good", before=deeds.token_expired),
    "tokens_revoked": Kind("all tokens are over, now", before=deeds.tokens_revoked),
    "token_endpoint_down": Kind(
        "the token endpoint answers `status`, or with `how` = hang or reset not at all",
        {
            "how": Field(one_of("status", "hang", "reset"), "status"),
            "status": Field(whole(400, 599), 503),
            **_REFUSAL,
        },
        before=deeds.token_endpoint_down,
        ends=True,
        route=TOKEN_ROUTE,
    ),
    "status": Kind(
        "a `status`, or a declared error by its `error_name`; `retry_after` in seconds or as a date",
        {"status": Field(whole(400, 599), None), **_REFUSAL},
        before=deeds.status,
        ends=True,
    ),
    "hang": Kind("never answers", before=deeds.hang, ends=True),
    "reset": Kind(
        "resets the connection: at once, or `after_bytes` of the body",
        {"after_bytes": Field(whole(0, 2**31), None)},
        before=deeds.reset,
        after=deeds.reset_within,
        ends=True,
    ),
    "processed_but_500": Kind(
        "does what was asked, and answers `status` (500), or resets the connection with `reset`",
        {"status": Field(whole(500, 599), 500), "reset": Field(flag, False)},
        after=deeds.processed_but_500,
        ends=True,
    ),
    "unknown_enum": Kind(
        "every text `field` gets a `value` that no SDK knows",
        {"field": Field(text, "status"), "value": Field(text, None)},
        after=deeds.unknown_enum,
    ),
    "extra_field": Kind(
        "every row has one `field` more",
        {"field": Field(text, "unheard_of"), "value": Field(anything, {"nested": [1, None]})},
        after=deeds.extra_field,
    ),
    "repeated_page_token": Kind(
        "the next page is the page that was asked for", after=deeds.repeated_page_token, once=False
    ),
    "same_timestamp": Kind(
        "all rows have the first one's `field`", {"field": Field(text, "updated_at")}, after=deeds.same_timestamp
    ),
    "broken_json": Kind("half of the body, and then no JSON", after=deeds.broken_json),
    "wrong_content_type": Kind(
        "the body is labelled as `content_type`",
        {"content_type": Field(header, "text/html; charset=utf-8")},
        after=deeds.wrong_content_type,
    ),
    "truncated": Kind(
        "the connection ends after a `fraction` of the body that was announced",
        {"fraction": Field(share, 0.5)},
        after=deeds.truncated,
        ends=True,
    ),
}
