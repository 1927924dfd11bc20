"""Request bodies: decoded, and checked for what Candid requires before anything is written."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from candid_provider.emulator.catalogue import Endpoint, required_body
from candid_provider.emulator.exchange.answers import Refusal, unprocessable
from candid_provider.emulator.exchange.asked import Upload
from candid_provider.emulator.exchange.completion import normal
from candid_provider.emulator.exchange.fitting import misfit

_DEEPEST: Final = 100
_LARGEST: Final = 2**63 - 1


async def body_of(request: Request, endpoint: Endpoint) -> Any:
    """The body of a request, checked against the SDK's models, with dates, instants and UUIDs as Candid writes them.

    A Refusal names the first field that does not fit.
    """
    if endpoint.body["kind"] == "none":
        return None
    if endpoint.body["kind"] == "multipart":
        _refuse_other_types(request, "multipart/form-data")
        return await _form(request, endpoint)
    raw = await request.body()
    # The SDK sends no body at all for an object of which nothing is set.
    if not raw and (not _is_required(endpoint) or required_body(endpoint.id) == {}):
        return {}
    _refuse_other_types(request, "application/json")
    try:
        body = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not _is_within_bounds(body):
        raise _unreadable()
    check_body(endpoint, body)
    return normal(endpoint, body)


def check_body(endpoint: Endpoint, body: Any) -> None:
    """Refuse a decoded body that an endpoint cannot take, naming the first field that does not fit."""
    if (wrong := misfit(endpoint.id, body)) is not None:
        raise unprocessable(endpoint, wrong.where or "body", wrong.message)


def _unreadable() -> Refusal:
    return Refusal(400, {"detail": "The request body could not be parsed"})


def _refuse_other_types(request: Request, wanted: str) -> None:
    # A body sent by hand may come without a type.
    given = request.headers.get("content-type", wanted).partition(";")[0].strip().lower()
    if given != wanted:
        raise Refusal(415, {"detail": f"The request body must be {wanted}"})


def _is_within_bounds(body: Any) -> bool:
    """Whether a body is no deeper, and its numbers no larger, than what can be kept and written again."""
    level = [body]
    for _ in range(_DEEPEST):
        if any(isinstance(item, int) and abs(item) > _LARGEST for item in level):
            return False
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [child for children in inner for child in children]
        if not level:
            return True
    return False


def _is_required(endpoint: Endpoint) -> bool:
    fields = endpoint.body.get("fields", ())
    return bool(endpoint.body.get("required")) or any(field["required"] for field in fields)


async def _form(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        async with request.form() as form:
            for name, value in form.multi_items():
                fields[name] = await _upload(value) if isinstance(value, UploadFile) else value
    except (MultiPartException, LookupError, ValueError):
        raise _unreadable() from None
    for field in endpoint.body["fields"]:
        given = fields.get(field["name"])
        if field["part"] == "file" and given is None and field["required"]:
            raise unprocessable(endpoint, field["name"], "is required")
        if given is not None and isinstance(given, Upload) != (field["part"] == "file"):
            raise unprocessable(endpoint, field["name"], f"must be a {field['part']} part")
    check_body(endpoint, fields)
    return fields


async def _upload(part: UploadFile) -> Upload:
    return Upload(part.filename or "", part.content_type or "application/octet-stream", await part.read())
