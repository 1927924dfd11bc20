"""Request bodies: decoded, and checked for what Candid requires before anything is written."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request

from candid_provider.emulator.answers import Refusal, unprocessable
from candid_provider.emulator.asked import Upload
from candid_provider.emulator.catalogue import Endpoint, required_body

_KINDS = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}


async def body_of(request: Request, endpoint: Endpoint) -> Any:
    """The body of a request, its required fields checked; a Refusal names the first that does not fit."""
    if endpoint.body["kind"] == "none":
        return None
    if endpoint.body["kind"] == "multipart":
        return await _form(request, endpoint)
    raw = await request.body()
    # The SDK sends no body at all for an object of which nothing is set.
    if not raw and (not _is_required(endpoint) or required_body(endpoint.id) == {}):
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        raise Refusal(400, {"detail": "The request body could not be parsed"}) from None
    check_body(endpoint, body)
    return body


def check_body(endpoint: Endpoint, body: Any) -> None:
    """Refuse a decoded JSON body that lacks what an endpoint requires."""
    _check(endpoint, required_body(endpoint.id), body, "")


def check_shape(endpoint: Endpoint, sample: Any, value: Any, where: str) -> None:
    """Refuse a part of a body that is not like a sample of it."""
    _check(endpoint, sample, value, where)


def _is_required(endpoint: Endpoint) -> bool:
    fields = endpoint.body.get("fields", ())
    return bool(endpoint.body.get("required")) or any(field["required"] for field in fields)


def _check(endpoint: Endpoint, sample: Any, value: Any, where: str) -> None:
    if sample is None:
        return
    if isinstance(sample, dict):
        if not isinstance(value, dict):
            raise unprocessable(endpoint, where or "body", "must be an object")
        _check_object(endpoint, sample, value, where)
    elif isinstance(sample, list):
        if not isinstance(value, list):
            raise unprocessable(endpoint, where or "body", "must be a list")
        for number, item in enumerate(value):
            _check(endpoint, sample[0] if sample else None, item, f"{where or 'body'}.{number}")
    elif not _is_like(sample, value):
        raise unprocessable(endpoint, where or "body", f"must be {_KINDS[type(sample)]}")


def _check_object(endpoint: Endpoint, sample: dict[str, Any], value: dict[str, Any], where: str) -> None:
    # An object with a `type` is one of several shapes, of which the sample shows only one.
    names = ["type"] if "type" in sample else list(sample)
    for name in names:
        path = f"{where}.{name}" if where else name
        if name not in value:
            raise unprocessable(endpoint, path, "is required")
        _check(endpoint, sample[name], value[name], path)


def _is_like(sample: Any, value: Any) -> bool:
    if isinstance(sample, bool) or isinstance(value, bool):
        return isinstance(sample, bool) and isinstance(value, bool)
    if isinstance(sample, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(sample))


async def _form(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    async with request.form() as form:
        for name, value in form.multi_items():
            fields[name] = await _upload(value) if isinstance(value, UploadFile) else value
    for field in endpoint.body["fields"]:
        given = fields.get(field["name"])
        if given is None and field["required"]:
            raise unprocessable(endpoint, field["name"], "is required")
        if given is not None and isinstance(given, Upload) != (field["part"] == "file"):
            raise unprocessable(endpoint, field["name"], f"must be a {field['part']} part")
    return fields


async def _upload(part: UploadFile) -> Upload:
    return Upload(part.filename or "", part.content_type or "application/octet-stream", await part.read())
