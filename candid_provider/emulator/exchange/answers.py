"""Answers of the API: JSON bodies, and refusals in the shapes Candid uses."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.responses import Response

from candid_provider.emulator.catalogue import Endpoint


class Refusal(Exception):
    """An answer other than 200: status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Answer:
    """An answer that is not plain JSON with status 200."""

    status: int = 200
    content: bytes = b""
    media_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def json_response(body: Any, status: int = 200) -> Response:
    """A JSON answer, without blanks."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def error(status: int, name: str, content: Any) -> Refusal:
    """candid_api's error envelope; callers branch on `errorName`, support asks for `errorInstanceId`."""
    body = {"errorName": name, "errorInstanceId": str(uuid.uuid4()), "content": content}
    return Refusal(status, body)


def declared(endpoint: Endpoint, name: str, content: Any) -> Refusal:
    """An error that the endpoint declares, with its declared status; pre_encounter's carry no instance id."""
    status = endpoint.statuses[name]
    if endpoint.host == "pre_encounter":
        return Refusal(status, {"errorName": name, "content": content})
    return error(status, name, content)


def invalid(name: str, message: str) -> Refusal:
    """A query parameter has a bad value."""
    return error(422, "HttpRequestValidationsError", [{"fieldName": name, "humanReadableMessage": message}])


def unprocessable(endpoint: Endpoint, name: str, message: str) -> Refusal:
    """A field of the body has a bad value, said in the way that the endpoint declares, or else as FastAPI does."""
    problem, text = {"fieldName": name, "humanReadableMessage": message}, {"message": f"{name}: {message}"}
    shapes = {
        "HttpRequestValidationsError": [problem],
        "HttpRequestValidationError": problem,
        "UnprocessableEntityError": text,
        "BadRequestError": text,
    }
    for error_name, content in shapes.items():
        if error_name in endpoint.statuses:
            return declared(endpoint, error_name, content)
    return Refusal(422, {"detail": [{"type": "value_error", "loc": ["body", *name.split(".")], "msg": message}]})


def missing(endpoint: Endpoint, identifier: str, kind: str = "Record") -> Refusal:
    """There is no such record."""
    if endpoint.host == "pre_encounter":
        return pre_encounter_not_found(kind)
    return not_found(identifier)


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
