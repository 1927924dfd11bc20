"""Answers of the API: JSON bodies, and refusals in the shapes Candid uses."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from starlette.responses import Response


class Refusal(Exception):
    """An answer other than 200: status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def json_response(body: Any, status: int = 200) -> Response:
    """A JSON answer, without blanks."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def error(status: int, name: str, content: Any) -> Refusal:
    """candid_api's error envelope; callers branch on `errorName`, support asks for `errorInstanceId`."""
    body = {"errorName": name, "errorInstanceId": str(uuid.uuid4()), "content": content}
    return Refusal(status, body)


def invalid(field: str, message: str) -> Refusal:
    """A query parameter has a bad value."""
    return error(422, "HttpRequestValidationsError", [{"fieldName": field, "humanReadableMessage": message}])


def not_found(identifier: str) -> Refusal:
    """candid_api knows no such record."""
    return error(404, "EntityNotFoundError", {"id": identifier})


def pre_encounter_not_found(kind: str) -> Refusal:
    """pre_encounter knows no such record; its errors carry no instance id."""
    return Refusal(404, {"errorName": "NotFoundError", "content": {"message": f"{kind} not found"}})


def unauthorized() -> Refusal:
    """No bearer token, or one that is unknown, revoked or expired; Candid declares no error type for it."""
    return Refusal(401, {"detail": "Unauthorized"})


def not_emulated(what: str) -> Refusal:
    """The emulator does not know this route or parameter; saying so beats a wrong answer."""
    return Refusal(501, {"detail": f"{what} is not emulated"})
