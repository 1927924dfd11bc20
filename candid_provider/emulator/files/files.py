"""Files behind signed URLs, as a cloud storage gives them out: exports, attachments, images."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from candid_provider.emulator.world.world import microseconds

PREFIX: Final = "/_files/"
LIFETIME: Final = 120.0
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Stream:
    """Content that is made while it is sent: `read` gives the bytes from a start to a stop, in pieces.

    The size is known beforehand, so that any part of a file of any size is had without making the rest.
    """

    size: int
    etag: str
    read: Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class File:
    """What a signed URL stands for: content to read, or a place to put some."""

    name: str
    media_type: str
    expires: float
    content: Stream | None = None
    receive: Callable[[bytes, str], None] | None = None


def stream_of(content: bytes) -> Stream:
    """Content that is at hand."""

    def read(start: int, stop: int) -> Iterator[bytes]:
        for place in range(start, stop, _CHUNK):
            yield content[place : min(stop, place + _CHUNK)]

    return Stream(len(content), hashlib.blake2b(content, digest_size=16).hexdigest(), read)


class Files:
    """The signed URLs of one emulator, and the contents that were uploaded to it.

    `real` gives seconds since 1970, by which URLs expire. `origin` is where the request that is being answered was
    sent to; the URLs in its answer lead back there. With the same `key` URLs are signed alike, also after a restart.
    """

    def __init__(self, real: Callable[[], float], key: str) -> None:
        self.real = real
        self.origin = ""
        self._key = hashlib.sha256(key.encode()).digest()
        self._files: dict[int, File] = {}
        self._given = 0
        self._contents: dict[str, bytes] = {}

    # --- signed URLs

    def url(self, name: str, content: Stream | bytes, media_type: str, lifetime: float = LIFETIME) -> tuple[str, str]:
        """A URL to download a file from, and when it expires."""
        stream = stream_of(content) if isinstance(content, bytes) else content
        return self._sign("GET", File(name, media_type, self.real() + lifetime, content=stream))

    def upload_url(
        self, name: str, receive: Callable[[bytes, str], None], lifetime: float = LIFETIME
    ) -> tuple[str, str]:
        """A URL to PUT a file to, and when it expires; `receive` is given its bytes and media type."""
        return self._sign("PUT", File(name, "", self.real() + lifetime, receive=receive))

    def _sign(self, verb: str, file: File) -> tuple[str, str]:
        self._forget_expired()
        number = self._given = self._given + 1
        self._files[number] = file
        path, expires = f"{PREFIX}{number}/{quote(file.name)}", str(int(file.expires))
        url = f"{self.origin}{path}?expires={expires}&signature={self.signature(verb, path, expires)}"
        return url, microseconds(int(file.expires) * 1_000_000)

    def _forget_expired(self) -> None:
        # Most live equally long, so the oldest expire first.
        while self._files and self._files[oldest := next(iter(self._files))].expires <= self.real():
            del self._files[oldest]

    def signature(self, verb: str, path: str, expires: str) -> str:
        """What makes a URL valid, for one verb and until one second."""
        text = f"{verb}\n{path}\n{expires}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=24).hexdigest()

    def is_signed(self, verb: str, path: str, expires: str, signature: str) -> bool:
        expected = self.signature("GET" if verb == "HEAD" else verb, path, expires)
        return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))

    def find(self, path: str) -> File | None:
        """The file that a URL's path was signed for."""
        number = path.removeprefix(PREFIX).partition("/")[0]
        return self._files.get(int(number)) if number.isascii() and number.isdigit() else None

    # --- uploaded contents

    def keep(self, key: str, content: bytes) -> None:
        """Keep what was uploaded, under the id of the record it belongs to."""
        self._contents[key] = content

    def kept(self, key: str) -> bytes:
        """The content of an uploaded file; empty as long as none came."""
        return self._contents.get(key, b"")

    def drop(self, key: str) -> None:
        self._contents.pop(key, None)
