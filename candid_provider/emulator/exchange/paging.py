"""Pages of a listing, in the paging style of its endpoint (styles A to F of the API)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from candid_provider.emulator.exchange.answers import error
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.feed import Feed, Key

Record = dict[str, Any]
_MOST: Final = 1000
_LIMITS: Final = {  # default and largest page where they are not 100 and 1000
    "events.v_1.scan": (10, 100),
    "patient_ar.v_1.list_inventory": (100, 100),
    "contracts.v_2.get_multi": (1000, 1000),
    "contracts.v_3.get_multi": (1000, 1000),
    "pre_encounter.tags.v_1.get_all": (1000, 1000),
    "pre_encounter.metadata_schemas.v_1.get_all": (100, 100),
    "fee_schedules.v_3.get_multi": (100, 100),
    "fee_schedules.v_3.get_unique_values_for_dimension": (1000, 1000),
    "patient_payments.v_4.get_multi": (100, 999),
    "patient_refunds.v_1.get_multi": (100, 999),
    "insurance_refunds.v_1.get_multi": (100, 999),
    "non_insurance_payer_payments.v_1.get_multi": (100, 999),
    "non_insurance_payer_refunds.v_1.get_multi": (100, 999),
    "write_offs.v_1.get_multi": (100, 999),
    "pre_encounter.eligibility_checks.v_1.poll_batch": (10, 10),
}


def largest_page(endpoint_id: str) -> int:
    """The largest page size that an endpoint takes."""
    return _LIMITS.get(endpoint_id, (100, _MOST))[1]


def limit_of(asked: Asked) -> int:
    """The page size asked for, within the endpoint's bounds."""
    default, most = _LIMITS.get(asked.endpoint.id, (100, _MOST))
    paging = asked.endpoint.paging
    if paging is None or paging.limit_param is None:
        return default
    return asked.listing.size(paging.limit_param, default, most)


class PageTokens:
    """Opaque page tokens: the key of a row, signed together with the route and filters it belongs to."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(key.encode()).digest()

    def _sign(self, asked: Asked, place: bytes) -> bytes:
        signed = repr((asked.endpoint.id, sorted(asked.path.items()), asked.filters())).encode() + place
        return hashlib.blake2b(signed, key=self._key, digest_size=10).digest()

    def write(self, asked: Asked, place: Key | None) -> str | None:
        """The token for a row of this listing; None stays None, which ends a listing."""
        if place is None:
            return None
        raw = place.order.to_bytes(8, "big", signed=True) + bytes([place.written]) + place.number.to_bytes(5, "big")
        return base64.urlsafe_b64encode(self._sign(asked, raw) + raw).decode()

    def read(self, asked: Asked) -> Key | None:
        """The row that the request's page token stands for; refused if it is not of this listing."""
        text = asked.listing.text("page_token")
        if text is None:
            return None
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        if len(raw) != 24 or self._sign(asked, raw[10:]) != raw[:10]:
            raise _bad_token(asked)
        return Key(int.from_bytes(raw[10:18], "big", signed=True), raw[18], int.from_bytes(raw[19:], "big"))


def _bad_token(asked: Asked) -> Exception:
    message = "page_token was not issued for this listing and these filters"
    if asked.endpoint.host == "pre_encounter":
        return error(400, "BadRequestError", {"message": message})
    return error(422, "UnprocessableEntityError", {"message": message})


def page(
    asked: Asked,
    rows: Feed,
    load: Callable[[Key], Record | None],
    *,
    keep: Callable[[Record], bool] | None = None,
    descending: bool = False,
    listed: Callable[[Key], bool] | None = None,
    most_seen: int | None = None,
    total: Callable[[], int] | None = None,
) -> Record:
    """One page of the rows that `load` gives a record for and `keep` accepts, from the request's token on.

    `listed` tells whether a row is on some page, and `total` how many are, where that is known without making their
    records. A page for which `most_seen` rows were looked at ends there, however few of them it holds.
    """
    limit, start = limit_of(asked), asked.state.page_tokens.read(asked)

    def kept(keys: Iterable[Key]) -> Iterator[tuple[Key, Record]]:
        for key in keys:
            record = load(key)
            if record is not None and (keep is None or keep(record)):
                yield key, record

    keys = rows.walk(start, descending=descending)
    found = list(islice(kept(islice(keys, most_seen)), limit + 1))
    following = found.pop()[0] if len(found) > limit else next(keys, None)
    previous = None
    if start is not None and asked.endpoint.paging and asked.endpoint.paging.prev:
        back = islice(rows.walk(start, descending=not descending), most_seen)
        shown = (key for key, _ in kept(back)) if listed is None else filter(listed, back)
        earlier = list(islice((key for key in shown if key != start), limit))
        previous = earlier[-1] if earlier else None

    def counted() -> int:
        return len(rows) if keep is None and not rows.has_written else sum(1 for _ in kept(rows.walk()))

    return _envelope(asked, [record for _, record in found], following, previous, total or counted)


def page_of(asked: Asked, records: Sequence[Record]) -> Record:
    """One page of records that are all at hand, already in the order asked for."""
    numbers = Feed(range(len(records)), int)
    return page(asked, numbers, lambda key: records[key.number])


def _envelope(
    asked: Asked, items: list[Record], following: Key | None, previous: Key | None, total: Callable[[], int]
) -> Record:
    paging, tokens = asked.endpoint.paging, asked.state.page_tokens
    assert paging is not None
    answer: Record = {paging.items_key or "items": items}
    answer["next_page_token"] = tokens.write(asked, following)
    if paging.prev:
        answer["prev_page_token"] = tokens.write(asked, previous)
    if paging.total:
        answer["total"] = total()
    return answer


def scan(asked: Asked, rows: Feed, load: Callable[[Key], Record | None], most: int = _MOST) -> list[Record]:
    """Rows last changed at `since` or later, in that order; like Candid's, never empty once there was a change."""
    paging = asked.endpoint.paging
    assert paging is not None
    since = asked.query.required_instant("since")
    limit = 100 if paging.limit_param is None else asked.query.size(paging.limit_param, 100, most)
    records = (load(key) for key in rows.between(since, None).walk())
    return list(islice((record for record in records if record is not None), limit))


def sorted_by(records: Iterable[Record], field: str, *, descending: bool) -> list[Record]:
    """Records ordered by a field; those without it come last."""
    present: list[Record] = []
    absent: list[Record] = []
    for record in records:
        (absent if record.get(field) is None else present).append(record)
    return sorted(present, key=lambda record: _order(record[field]), reverse=descending) + absent


def _order(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else msgspec.json.encode(value)
