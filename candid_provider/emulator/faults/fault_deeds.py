"""What each kind of fault does: on the way to the handler, or to its finished answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec

from candid_provider.emulator.catalogue import Endpoint, endpoints
from candid_provider.emulator.faults.declared_errors import error_body
from candid_provider.emulator.faults.reply import Cut, Reply


class Bearers(Protocol):
    """What faults do to tokens."""

    def expire(self, authorization: str | None) -> bool: ...

    def revoke(self) -> int: ...


@dataclass(frozen=True)
class Fault:
    """One firing of a rule: the rule's id, its kind and fields, and which firing it is."""

    rule: int
    kind: str
    details: Mapping[str, Any]
    number: int

    def __getitem__(self, name: str) -> Any:
        return self.details[name]


@dataclass(frozen=True)
class Target:
    """The request that faults strike, and what they need to strike it."""

    route: str
    endpoint_id: str | None
    tokens: Bearers
    clock: Callable[[], float]
    released: asyncio.Event
    query: bytes = b""
    body: bytes = b""
    authorization: str | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        return None if self.endpoint_id is None else endpoints()[self.endpoint_id]

    @property
    def page_token(self) -> str | None:
        """The page asked for, in the query or in a JSON body."""
        if given := parse_qs(self.query.decode("latin-1")).get("page_token"):
            return given[0]
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        token = body.get("page_token") if isinstance(body, dict) else None
        return token if isinstance(token, str) else None


# A deed before the handler gives the answer in its place, or says whether there was anything to do;
# one after it gives the answer it made of the handler's, or None where there was nothing to do.
Before = Callable[[Fault, Target], Awaitable[Reply | bool]]
After = Callable[[Fault, Target, Reply], Reply | None]


# --- before the handler


async def latency(fault: Fault, target: Target) -> bool:
    more = Random(f"{fault['seed']}:{fault.number}").uniform(0, fault["jitter"])
    # An emulator that stops waits for nothing.
    with suppress(TimeoutError):
        await asyncio.wait_for(target.released.wait(), (fault["ms"] + more) / 1000)
    return True


async def token_expired(_: Fault, target: Target) -> bool:
    return target.tokens.expire(target.authorization)


async def tokens_revoked(_: Fault, target: Target) -> bool:
    return target.tokens.revoke() > 0


async def hang(_: Fault, target: Target) -> Reply:
    return Reply(0, cut=Cut(hold=target.released))


async def reset(fault: Fault, _: Target) -> Reply | bool:
    return fault["after_bytes"] is None and Reply(0, cut=Cut())


async def status(fault: Fault, target: Target) -> Reply:
    return _refusal(fault, target)


async def token_endpoint_down(fault: Fault, target: Target) -> Reply:
    if fault["how"] == "hang":
        return await hang(fault, target)
    return Reply(0, cut=Cut()) if fault["how"] == "reset" else _refusal(fault, target)


def _refusal(fault: Fault, target: Target) -> Reply:
    code, name = fault["status"], fault["error_name"]
    headers = _retry_after(fault, target)
    if code == 429 and name is None:
        return Reply.json(
            429, {"errorName": "TooManyRequestsError", "content": {"message": "Too many requests"}}, **headers
        )
    if name is not None:
        return Reply.json(code, error_body(name, target.endpoint, fault["content"]), **headers)
    return Reply.front_end(code, **headers) if code in (502, 504) else Reply.plain(code, **headers)


def _retry_after(fault: Fault, target: Target) -> dict[str, str]:
    when = fault["retry_after"]
    if when is None:
        return {}
    if when == "date":
        then = datetime.fromtimestamp(int(target.clock()) + fault["seconds"], UTC)
        return {"retry_after": format_datetime(then, usegmt=True)}
    return {"retry_after": str(when)}


# --- after the handler


def processed_but_500(fault: Fault, _: Target, reply: Reply) -> Reply | None:
    if reply.status >= 400:
        return None
    if fault["reset"]:
        return Reply(0, cut=Cut())
    code = fault["status"]
    return Reply.front_end(code) if code in (502, 504) else Reply.plain(code)


def _reshaping(change: Callable[[Fault, Target, Any], bool]) -> After:
    """A deed on the JSON of a good answer; `change` says whether it found anything to change."""

    def reshape(fault: Fault, target: Target, reply: Reply) -> Reply | None:
        if reply.status >= 300:
            return None
        try:
            body = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return replace(reply, body=msgspec.json.encode(body)) if change(fault, target, body) else None

    return reshape


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects in a value, from the outside in."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _objects(child)


def _rows(target: Target, body: Any) -> list[dict[str, Any]]:
    """The rows of a listing; of any other answer the one object it is."""
    paging = target.endpoint.paging if target.endpoint else None
    if isinstance(body, dict):
        key = paging.items_key if paging else None
        body = body.get(key, [body]) if key else [body]
    return [row for row in body if isinstance(row, dict)] if isinstance(body, list) else []


@_reshaping
def unknown_enum(fault: Fault, _: Target, body: Any) -> bool:
    name, value = fault["field"], fault["value"]
    holders = [row for row in _objects(body) if isinstance(row.get(name), str)]
    for number, row in enumerate(holders, 1):
        row[name] = f"unheard_of_{number}" if value is None else value
    return bool(holders)


@_reshaping
def extra_field(fault: Fault, target: Target, body: Any) -> bool:
    rows = _rows(target, body)
    for row in rows:
        row[fault["field"]] = fault["value"]
    return bool(rows)


@_reshaping
def repeated_page_token(_: Fault, target: Target, body: Any) -> bool:
    token = target.page_token
    if token is None or not isinstance(body, dict) or "next_page_token" not in body:
        return False
    body["next_page_token"] = token
    return True


@_reshaping
def same_timestamp(fault: Fault, target: Target, body: Any) -> bool:
    name = fault["field"]
    rows = [row for row in _rows(target, body) if name in row]
    for row in rows:
        row[name] = rows[0][name]
    return len(rows) > 1


def broken_json(_: Fault, __: Target, reply: Reply) -> Reply | None:
    # `}{` ends no JSON value, wherever the half may end.
    return replace(reply, body=reply.body[: len(reply.body) // 2] + b"}{") if reply.body else None


def wrong_content_type(fault: Fault, _: Target, reply: Reply) -> Reply:
    others = [(name, value) for name, value in reply.headers if name.lower() != b"content-type"]
    return replace(reply, headers=[*others, (b"content-type", fault["content_type"].encode())])


def truncated(fault: Fault, _: Target, reply: Reply) -> Reply | None:
    sent = int(len(reply.body) * fault["fraction"])
    return replace(reply, cut=Cut(sent, reset=False)) if sent < len(reply.body) else None


def reset_within(fault: Fault, _: Target, reply: Reply) -> Reply | None:
    after = fault["after_bytes"]
    return None if after is None else replace(reply, cut=Cut(after))
