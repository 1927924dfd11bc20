"""Invented people. Whatever identifies a patient carries one of `MARKERS`, so that leaks can be found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_NAME: Final = "qvexzo"
_MRN: Final = "MRNQZX"
_MEMBER: Final = "MEMQZX"
_PHONE: Final = "QVXZKJ"
MARKERS: Final = (_NAME, _MRN, _MEMBER, _PHONE)

_GIVEN_STEMS: Final = """
    Ad Al Am An Ar Bel Ben Car Cel Da Del Dor Ed El Em Er Fel Gab Gen Hel Ib Ir Jan Jo Kar Lar Len Mar
    Mir Nad Or Ros
"""
_FAMILY_STEMS: Final = """
    Ash Bar Birch Brook Carr Clay Dale Dun East Elm Fair Fern Glen Gray Hart Hill Holt Kirk Lake Lang
    March Moor North Oak Park Pine Quill Reed Ridge Stone Thorn Vale
"""
_GIVEN: Final = tuple(_GIVEN_STEMS.split())
_FAMILY: Final = tuple(_FAMILY_STEMS.split())
_PLACES: Final = (
    ("Springfield", "IL", "62701"),
    ("Columbus", "OH", "43215"),
    ("Boise", "ID", "83702"),
    ("Madison", "WI", "53703"),
    ("Salem", "OR", "97301"),
    ("Austin", "TX", "78701"),
    ("Albany", "NY", "12207"),
    ("Raleigh", "NC", "27601"),
)
_OLDEST: Final = date(1938, 1, 1)


@dataclass(frozen=True, slots=True)
class Person:
    """What identifies a patient."""

    given: str
    family: str
    female: bool
    birth_date: str
    street: str
    city: str
    state: str
    zip_code: str
    phone: str
    email: str


def person(number: int, bits: int) -> Person:
    """Patient `number`, made of 64 random bits."""
    given = _GIVEN[bits & 31] + _NAME
    family = _FAMILY[bits >> 5 & 31] + _NAME
    city, state, zip_code = _PLACES[bits >> 10 & 7]
    return Person(
        given=given,
        family=family,
        female=bool(bits >> 13 & 1),
        birth_date=(_OLDEST + timedelta(days=(bits >> 14 & 0xFFFF) % 31_000)).isoformat(),
        street=f"{(bits >> 30) % 9_000 + 1} {_FAMILY[bits >> 44 & 31]}{_NAME} Street",
        city=city,
        state=state,
        zip_code=zip_code,
        phone=f"{(bits >> 49) % 10_000:04d}{_PHONE}",
        email=f"{given}.{family}{number}@example.com".lower(),
    )


def mrn(number: int) -> str:
    """Medical record number of patient `number`."""
    return f"{_MRN}{number:08d}"


def member_id(number: int) -> str:
    """Member id printed on the insurance card of coverage `number`."""
    return f"{_MEMBER}{number:08d}"
