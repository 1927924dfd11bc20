"""A request that a process of its own sends, so that its answer is known although whoever asked was killed.

Between the moment at which Candid takes a batch and the one at which its id is written down, a killed task would
leave a batch that nobody knows. Here the request is sent by a process that belongs to no other: it has a session of
its own and no parent, ignores requests to end, and notes on this machine's disk that it begins, and what the answer
was. A lock on these notes tells whether it is still at work. It was held before the process was started, so whoever
finds it free knows that nothing more will be sent.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from candid_provider import exceptions
from candid_provider.exceptions import CandidError, CandidUnavailableError

if TYPE_CHECKING:
    from candid_provider.api.call import Call
    from candid_provider.api.settings import CandidSettings

LIFETIME = 600
"""Seconds after which the process ends, whatever it waits for."""
PATIENCE = 60.0
"""Seconds within which it tries again what cannot have arrived."""
LOOK_AGAIN = 0.02


class Order(msgspec.Struct):
    """Say what to send; it goes through a pipe, and so into no list of processes."""

    candid_api: str
    pre_encounter: str
    timeout: float
    bearer: str
    method: str
    path: str
    path_params: dict[str, str]
    json: Any


class Note(msgspec.Struct, omit_defaults=True):
    """One line of the notes: that it begins, or how it ended."""

    begun: bool = False
    answer: Any = None
    error: dict[str, Any] | None = None
    kind: str = ""


class Fate(msgspec.Struct, frozen=True):
    """Say what became of a request.

    :param sent: it was, or may have been, sent.
    :param answer: Candid's, if one came.
    :param error: what came in its place; None with neither if nobody knows.
    """

    sent: bool
    answer: Any = None
    error: CandidError | None = None


class Posting:
    """Name one request, by where its notes are: on this machine only.

    :param name: what :meth:`new` gave it; empty for one that was never begun.
    :param folder: directory for the notes, on a local disk; by default one of this user's among temporary files.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = name
        self._folder = folder or Path(tempfile.gettempdir()) / f"candid-postings-{os.getuid()}"
        self._lock: IO[bytes] | None = None

    @classmethod
    def new(cls, folder: Path | None = None) -> Posting:
        """Begin the notes of a request that nobody has sent yet, and lock them.

        :raises CandidUnavailableError: they cannot be kept there.
        """
        posting, problem = cls(secrets.token_hex(8), folder), ""
        try:
            posting._folder.mkdir(mode=0o700, exist_ok=True)
            owner = posting._folder.lstat()
            if owner.st_uid == os.getuid() and not owner.st_mode & 0o022:
                descriptor = os.open(posting._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                posting._lock = os.fdopen(descriptor, "ab", buffering=0)
                _lock(posting._lock)
                return posting
            problem = "others may write there"
        except OSError as error:
            problem = error.strerror or type(error).__name__
        raise CandidUnavailableError(f"{posting._folder}: no notes can be kept there ({problem}). Set TMPDIR")

    def send(self, settings: CandidSettings, bearer: str, call: Call) -> Fate:
        """Have a call sent, once, and wait for what becomes of it.

        :param bearer: the token; the process mints none.
        """
        assert self._lock is not None, "only a new one is sent"
        order = Order(
            candid_api=settings.candid_api,
            pre_encounter=settings.pre_encounter,
            timeout=settings.timeout,
            bearer=bearer,
            method=call.method,
            path=call.path,
            path_params=dict(call.path_params),
            json=call.json,
        )
        descriptor = self._lock.fileno()
        with self._lock:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(descriptor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        process.communicate(msgspec.json.encode(order))
        return self.fate() or Fate(sent=True)

    def fate(self) -> Fate | None:
        """Wait until nobody is at work, and say what became of the request; None if nothing is known here."""
        try:
            with self._path.open("rb") as file:
                deadline = time.monotonic() + LIFETIME
                while not _is_free(file):
                    if time.monotonic() > deadline:
                        return Fate(sent=True)
                    time.sleep(LOOK_AGAIN)
                return _fate(file.read().splitlines())
        except OSError:
            return None

    def close(self) -> None:
        """Let go of the notes; they stay where they are."""
        if self._lock:
            self._lock.close()

    def forget(self) -> None:
        """Remove the notes."""
        self.close()
        if self.name:
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.name}.jsonl"


def _fate(lines: list[bytes]) -> Fate:
    fate = Fate(sent=False)
    for line in lines:
        try:
            note = msgspec.json.decode(line, type=Note)
        except msgspec.DecodeError:  # it died while it wrote
            return Fate(sent=True)
        fate = Fate(sent=True, answer=note.answer, error=_error_of(note) if note.error else None)
    return fate


def _error_of(note: Note) -> CandidError:
    kind: type[CandidError] = getattr(exceptions, note.kind, CandidUnavailableError)
    given = dict(note.error or {})
    error = kind.__new__(kind)
    error.args = (given.pop("message", ""),)
    error.__dict__.update(given, fields=tuple(given.get("fields") or ()))
    return error


def _lock(file: IO[bytes]) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_free(file: IO[bytes]) -> bool:
    try:
        _lock(file)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Send the request that comes by standard input; an order that was cut short is none."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)  # whoever kills a task with all its descendants does not find this one
    signal.alarm(LIFETIME)
    with os.fdopen(int(sys.argv[1]), "ab", buffering=0) as notes:
        _lock(notes)  # the same lock on a local disk; another, held elsewhere, where files are locked otherwise
        order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
        _send(order, notes)


def _send(order: Order, notes: IO[bytes]) -> None:
    from candid_provider.api.call import Call, send
    from candid_provider.api.client import CandidClient
    from candid_provider.api.settings import CandidSettings

    settings = CandidSettings(
        client_id="",
        client_secret="",
        candid_api=order.candid_api,
        pre_encounter=order.pre_encounter,
        auth_url="",
        timeout=order.timeout,
    )
    call = Call(method=order.method, path=order.path, path_params=order.path_params, json=order.json)
    with CandidClient(settings, Given(order.bearer), retry_deadline=PATIENCE) as client:
        _note(notes, Note(begun=True))
        try:
            note = Note(answer=send(client, call))
        except CandidError as error:
            note = Note(error={"message": str(error), **error.__dict__}, kind=type(error).__name__)
        _note(notes, note)


def _note(notes: IO[bytes], note: Note) -> None:
    notes.write(msgspec.json.encode(note) + b"\n")
    os.fsync(notes.fileno())


class Given:
    """Answer with one token, and refuse to find another.

    :param bearer: the token.
    """

    def __init__(self, bearer: str) -> None:
        self._bearer = bearer

    def token(self, refused: str | None = None) -> Any:
        """Give the token.

        :raises CandidAuthError: Candid has refused it.
        """
        from candid_provider.oauth.token import AccessToken

        if refused is not None:
            raise exceptions.CandidAuthError("Candid refused the token")
        return AccessToken(self._bearer, time.time(), float("inf"))

    async def atoken(self, refused: str | None = None) -> Any:
        """Give the token."""
        return self.token(refused)

    def condemn(self, bearer: str) -> None:
        """Do nothing: whoever gave the token decides."""

    async def acondemn(self, bearer: str) -> None:
        """Do nothing."""


if __name__ == "__main__":
    main()
