"""Identifiers computed both ways: a record's index gives its UUID, a UUID gives back the index."""

from __future__ import annotations

import hashlib

_MASK = (1 << 64) - 1
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FIRST_INVERSE, _SECOND_INVERSE = pow(_FIRST, -1, 1 << 64), pow(_SECOND, -1, 1 << 64)


def mix(value: int) -> int:
    """Scatter a 64-bit number over all 64 bits, reversibly (the finaliser of splitmix64)."""
    value = ((value ^ value >> 30) * _FIRST) & _MASK
    value = ((value ^ value >> 27) * _SECOND) & _MASK
    return value ^ value >> 31


def unmix(value: int) -> int:
    """The number that `mix` scattered into `value`."""
    value = ((value ^ value >> 31 ^ value >> 62) * _SECOND_INVERSE) & _MASK
    value = ((value ^ value >> 27 ^ value >> 54) * _FIRST_INVERSE) & _MASK
    return value ^ value >> 30 ^ value >> 60


class _Keys(dict[str, int]):
    """A 64-bit key for each kind of record, derived from the seed when first asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def __missing__(self, kind: str) -> int:
        digest = hashlib.sha256(f"{self._seed}:{kind}".encode()).digest()
        key = self[kind] = int.from_bytes(digest[:8], "big")
        return key


class Identifiers:
    """UUIDs and random draws of one seeded world, each kind of record with a key of its own.

    A UUID holds the index under a keyed permutation and a check on it, so looking a record up by id needs no
    table, and an id of another seed or kind is not mistaken for one of ours.
    """

    def __init__(self, seed: int) -> None:
        self._keys = _Keys(seed)

    def uuid(self, kind: str, index: int) -> str:
        """The UUID (in the shape of version 4) of record `index` of `kind`."""
        key = self._keys[kind]
        scattered = mix(index ^ key)
        check = ((scattered ^ key) * _FIRST & _MASK) >> 8
        digits = f"{scattered:016x}{check:014x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:]}"

    def index(self, kind: str, text: str, count: int) -> int | None:
        """The index below `count` whose UUID is `text`, or None when no record has it."""
        digits = text.lower().replace("-", "")
        try:
            index = unmix(int(digits[:12] + digits[13:16] + digits[17:18], 16)) ^ self._keys[kind]
        except ValueError:
            return None
        return index if index < count and self.uuid(kind, index) == text.lower() else None

    def draw(self, kind: str, index: int) -> int:
        """64 random bits that belong to record `index` of `kind`, the same ones each time."""
        return mix(index ^ self._keys[kind])


def npi(number: int) -> str:
    """A National Provider Identifier: 10 digits, the last a Luhn check digit over 80840 and the others."""
    stem = f"1{number % 100_000_000:08d}"
    total = 0
    for place, digit in enumerate(reversed("80840" + stem)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return stem + str(-total % 10)
