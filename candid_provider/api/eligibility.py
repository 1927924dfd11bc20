"""Eligibility checks in batches: the requests, checked before they are sent, and the results, in their order."""

from __future__ import annotations

import dataclasses
import datetime
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Annotated, Any

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.jobs import Job
from candid_provider.api.outcome import Conditions
from candid_provider.api.paging import TokenPaging
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE

MOST = 10_000
"""Requests in a batch (stedi.com, who checks them for Candid)."""
PATH = "/eligibility-checks/v1/batch"
IDENTIFIER = "submitter_transaction_identifier"
STATUSES = ("ACTIVE", "INACTIVE", "UNKNOWN")
SOURCES = ("CANDID", "STEDI")

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Member(msgspec.Struct):
    first_name: _Text
    last_name: _Text
    date_of_birth: datetime.date | None = None
    member_id: str | None = None


class _Provider(msgspec.Struct):
    npi: _Text


class _Encounter(msgspec.Struct):
    date_of_service: datetime.date | None = None
    service_type_codes: list[str] | None = None


class _Request(msgspec.Struct):
    """What a request needs, and what a payer would not understand (candidhealth 1.37.0, ``EligibilityRequest``)."""

    payer_id: _Text
    provider: _Provider
    subscriber: _Member
    dependent: _Member | None = None
    encounter: _Encounter | None = None
    submitter_transaction_identifier: _Text | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """Hold the requests of a batch.

    :param bodies: what is sent; each has an identifier.
    :param lines: for each, its place in the input, from 1.
    """

    bodies: Sequence[Mapping[str, Any]] = field(repr=False)
    lines: Sequence[int] = field(repr=False)

    @property
    def places(self) -> dict[str, int]:
        """Give the place among the requests of each identifier."""
        return {body[IDENTIFIER]: place for place, body in enumerate(self.bodies)}

    def missing(self, arrived: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Name the requests that are not among some places."""
        there = set(arrived)
        for place, (line, body) in enumerate(zip(self.lines, self.bodies, strict=True)):
            if place not in there:
                yield {"line": line, IDENTIFIER: body[IDENTIFIER]}


def requests_of(lines: Iterable[tuple[int, Any]], *, prefix: str, field: str) -> Requests:
    """Check the requests of a batch, and give each an identifier that has none.

    :param lines: number and content of each: a line of JSON, or a mapping.
    :param prefix: what the identifiers begin with that are given; the line's number follows.
    :param field: the argument that they come from.
    :raises CandidConfigError: one is no request, or repeats an identifier, or there are more than 10,000. It names
        the line and the request's field, and no value.
    """
    bodies, numbers, seen = list[Mapping[str, Any]](), list[int](), dict[str, int]()
    for number, content in lines:
        body = _checked(number, content, field)
        identifier = body.get(IDENTIFIER) or f"{prefix}-{number}"
        if identifier in seen:
            raise CandidConfigError(
                f"{field}: lines {seen[identifier]} and {number} have the same {IDENTIFIER}", field=field
            )
        seen[identifier] = number
        bodies.append({**body, IDENTIFIER: identifier})
        numbers.append(number)
        if len(bodies) > MOST:
            raise CandidConfigError(
                f"{field}: more than {MOST} requests. Map the task over several files", field=field
            )
    return Requests(bodies, numbers)


def _checked(number: int, content: Any, field: str) -> dict[str, Any]:
    problem = ""
    try:
        body = msgspec.json.decode(content) if isinstance(content, bytes) else content
        msgspec.convert(body, _Request)
        if isinstance(body, dict):
            return body
    except msgspec.ValidationError as error:
        problem = _problem(str(error))
    except UNREADABLE:
        pass
    raise CandidConfigError(f"{field}: line {number} is not a request{problem or ': no JSON object'}", field=field)


def _problem(message: str) -> str:
    """Take from msgspec's message what names a field of ours, and nothing that may be a value."""
    place = re.search(r"at `\$([.\w\[\]]*)`", message)
    name = re.search(r"required field `(\w+)`", message)
    path = ".".join(filter(None, [(place[1].lstrip(".") if place else ""), name[1] if name else ""]))
    said = "is missing" if name else "is not what it should be"
    return f": {path} {said}" if path else ""


def batch(requests: Requests) -> Job:
    """Check many at once (Candid: POST /eligibility-checks/v1/batch); nothing lists batches.

    The meaning of ``total`` in the answer is not documented: it is where to look, and no proof.
    """
    submit = Call(method="POST", path=PATH, json=list(requests.bodies))

    def again(since: datetime.datetime) -> Call:
        # A check that went well since then is given again instead of being paid for a second time.
        reused = [{"get_existing_check_initiated_after": since, **body} for body in requests.bodies]
        return dataclasses.replace(submit, json=msgspec.to_builtins(reused))

    return Job(
        name="an eligibility batch",
        submit=submit,
        id_key="batch_id",
        path=f"{PATH}/{{batch_id}}",
        id_param="batch_id",
        conditions=Conditions(status_path="total", at_least=len(requests.bodies)),
        probe=Call(method="GET", path="/eligibility-checks/v1/payer/search", params={"page_size": 1}),
        again=again,
    )


def pages_of(job_id: str) -> Call:
    """Give the call for the first page of a batch's results; the size of pages is Candid's."""
    return Call(method="GET", path=f"{PATH}/{{batch_id}}", path_params={"batch_id": job_id}, paging=TokenPaging())


class _Named(msgspec.Struct):
    submitter_transaction_identifier: str | None = None


class _Parsed(msgspec.Struct):
    eligibility_status: str | None = None


class _Error(msgspec.Struct):
    source: str | None = None


class _Result(msgspec.Struct):
    request: _Named | None = None
    parsed_response: _Parsed | None = None
    errors: list[_Error] | None = None


class Results:
    """Collect results as they come, and write them in the order of the requests.

    They lie in a temporary file without a name, because 10,000 of them may be large.

    :param places: the place of each identifier.
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        self._wanted = places
        self._spool: IO[bytes] = tempfile.TemporaryFile(prefix="candid-")  # noqa: SIM115 - close() closes it
        self._found: dict[int, tuple[int, int]] = {}
        self._statuses, self._errors = dict[int, str](), dict[int, tuple[str, ...]]()
        self._strangers: list[tuple[int, int]] = []

    def add(self, row: msgspec.Raw) -> None:
        """Take a result; one that came before, as pages move while results arrive, is replaced."""
        content = bytes(row)
        result = _read(content)
        place = self._wanted.get(result.request.submitter_transaction_identifier or "") if result.request else None
        where = (self._spool.seek(0, 2), self._spool.write(content))
        if place is None:
            self._strangers.append(where)
            return
        self._found[place] = where
        self._errors[place] = tuple(sorted({error.source or "" for error in result.errors or ()}))
        self._statuses[place] = (result.parsed_response.eligibility_status if result.parsed_response else None) or ""

    @property
    def arrived(self) -> set[int]:
        """Places of the requests whose results are there."""
        return set(self._found)

    @property
    def complete(self) -> bool:
        """Whether there is one for each request."""
        return len(self._found) == len(self._wanted)

    def counts(self) -> dict[str, Any]:
        """Count the results by eligibility status and by the source of their errors."""
        statuses = Counter(_known(status, STATUSES) for status in self._statuses.values() if status)
        errors = Counter(_known(source, SOURCES) for sources in self._errors.values() for source in sources)
        return {
            "submitted": len(self._wanted),
            "results": len(self._found),
            "missing": len(self._wanted) - len(self._found),
            "unassigned": len(self._strangers),
            "statuses": dict(sorted(statuses.items())),
            "errors": dict(sorted(errors.items())),
        }

    def write(self, file: IO[bytes]) -> None:
        """Write them, one a line, in the order of the requests; if some are missing, also those of no request."""
        strangers = [] if self.complete else self._strangers
        for start, length in [*(self._found[place] for place in sorted(self._found)), *strangers]:
            self._spool.seek(start)
            file.write(_one_line(self._spool.read(length)) + b"\n")

    def close(self) -> None:
        """Let the temporary file go."""
        self._spool.close()


def _one_line(content: bytes) -> bytes:
    return content if b"\n" not in content and b"\r" not in content else msgspec.json.format(content, indent=-1)


def _known(value: str, known: Sequence[str]) -> str:
    return value if value in known else "other"


def _read(content: bytes) -> _Result:
    try:
        return msgspec.json.decode(content, type=_Result)
    except UNREADABLE:  # parsed by another version of the API
        return _Result()
