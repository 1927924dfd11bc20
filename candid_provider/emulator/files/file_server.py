"""Serving signed URLs as a cloud storage does: no bearer, ranges, validators, errors in XML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from candid_provider.emulator.files.files import File, Files, Stream

_LARGEST_UPLOAD: Final = 100 << 20
_STATUS: Final = {
    "InvalidArgument": (400, "Only one auth mechanism allowed: the signature of the URL or an Authorization header"),
    "AuthenticationRequired": (401, "The URL is not signed"),
    "SignatureDoesNotMatch": (403, "The signature does not fit the URL and the method"),
    "ExpiredToken": (403, "The URL has expired"),
    "NoSuchKey": (404, "The specified key does not exist"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource"),
    "EntityTooLarge": (413, "The upload is larger than 100 MiB, the most that the emulator keeps"),
    "InvalidRange": (416, "The requested range cannot be satisfied"),
}
ROUTE: Final = "/_files/{file}"


async def answer(files: Files, request: Request) -> Response:
    """The answer to a request for a signed URL."""
    problem = _refused(files, request)
    if problem is not None:
        return _error(problem)
    file = files.find(_path(request))
    if file is None:
        return _error("NoSuchKey")
    if file.receive is not None:
        return await _receive(request, file)
    assert file.content is not None
    return _send(request, file, file.content)


def _path(request: Request) -> str:
    path: str = request.scope["raw_path"].decode("ascii", "replace")
    return path


def _refused(files: Files, request: Request) -> str | None:
    query = request.query_params
    if request.method not in ("GET", "HEAD", "PUT"):
        return "MethodNotAllowed"
    if "authorization" in request.headers:
        return "InvalidArgument"
    if "signature" not in query or "expires" not in query:
        return "AuthenticationRequired"
    if not files.is_signed(request.method, _path(request), query["expires"], query["signature"]):
        return "SignatureDoesNotMatch"
    return "ExpiredToken" if int(query["expires"]) <= files.real() else None


def _error(code: str, headers: dict[str, str] | None = None) -> Response:
    status, message = _STATUS[code]
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(body, status, headers, "application/xml")


async def _receive(request: Request, file: File) -> Response:
    assert file.receive is not None
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _LARGEST_UPLOAD:
            return _error("EntityTooLarge")
    file.receive(bytes(content), request.headers.get("content-type", "application/octet-stream"))
    return Response()


def _send(request: Request, file: File, content: Stream) -> Response:
    etag = f'"{content.etag}"'
    headers = {"etag": etag, "accept-ranges": "bytes", "cache-control": "private, max-age=0"}
    if etag in [text.strip() for text in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    part = _part(request, content.size, etag)
    if part is None:
        return _error("InvalidRange", {"content-range": f"bytes */{content.size}"})
    status = 200
    if part is not _WHOLE:
        status, headers["content-range"] = 206, f"bytes {part.start}-{part.stop - 1}/{content.size}"
    part = range(content.size) if part is _WHOLE else part
    headers["content-length"] = str(len(part))
    if request.method == "HEAD":
        return Response(None, status, headers, file.media_type)
    return StreamingResponse(content.read(part.start, part.stop), status, headers, file.media_type)


_WHOLE: Final = range(0)


def _part(request: Request, size: int, etag: str) -> range | None:
    """The bytes asked for; None for a range that there is not. More than one range at a time is not for storages."""
    text = request.headers.get("range", "")
    if not text.startswith("bytes=") or "," in text or request.headers.get("if-range", etag) != etag:
        return _WHOLE
    first, dash, last = text.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first or last) or not all(_is_number(end) for end in (first, last) if end):
        return _WHOLE
    if not first:
        part = range(max(0, size - int(last)), size)
    else:
        part = range(int(first), min(size, int(last) + 1) if last else size)
        if last and int(last) < int(first):
            return _WHOLE
    return part if len(part) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


async def whole(answer: Callable[[], Awaitable[Response]]) -> Response:
    """An answer with all of its body at hand, for faults to cut."""
    response = await answer()
    if not isinstance(response, StreamingResponse):
        return response
    parts = [bytes(part) async for part in response.body_iterator if not isinstance(part, str)]
    made = Response(b"".join(parts), response.status_code)
    made.raw_headers = response.raw_headers
    return made


@dataclass(frozen=True)
class Sent:
    """What a download sends: status and bytes."""

    seen: int
    size: int

    @classmethod
    def of(cls, response: Response) -> Sent:
        if isinstance(response, StreamingResponse):
            return cls(response.status_code, int(response.headers["content-length"]))
        return cls(response.status_code, len(response.body))
