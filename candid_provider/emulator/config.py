"""What an emulator can be told: how large and how old its world is, who may ask, and how it misbehaves."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from candid_provider.emulator.faults import faults
from candid_provider.emulator.faults.fault_rules import FaultRule
from candid_provider.emulator.world.clock import EPOCH

_LARGEST: Final = 100_000_000
_BOUNDS: Final = {
    "seed": (0, 2**63 - 1),
    "encounters": (0, _LARGEST),
    "patients": (1, _LARGEST),
    "days": (1, 3650),
    "payers": (1, 10_000),
    "token_lifetime": (1, 10 * 365 * 86_400),
    "rate_limit": (0, 1_000_000),
    "latency": (0, 600_000),
}
_FASTEST: Final = 1_000_000.0
_EXAMPLES: Final = """\
examples:
  %(prog)s
      on the ports of the SDK's LOCAL environment, 5050 and 4000
  %(prog)s --port 0 --seed 7
      on any free port, with another world
  %(prog)s --encounters 5000000 --days 365
      five million encounters over a year, in constant memory
  %(prog)s --token-lifetime 60 --rate-limit 2
      tokens that are short-lived and hard to get
  %(prog)s --as-of 2026-03-15T12:00:00Z --speed 86400
      claims move on by a day each second, from that noon on
  %(prog)s --endpoints
      what is emulated and what is not

The first line printed is `listening on URL`; GET URL/_emulator/stats counts what was asked. Ctrl-C ends it.
"""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig:
    """Settings of one emulator. Two emulators with equal settings, asked the same, answer alike, byte for byte.

    `as_of` is the instant at which the world's time starts (an aware datetime, or a date for the end of that day,
    UTC); dates of service lie in the `days` days before it. From then on `speed` simulated seconds pass per
    real second; at 0 the world stands still until its clock is moved. `token_lifetime` is in real seconds,
    `rate_limit` in tokens per rolling 60 s (0 = no limit), `latency` in ms.
    Raises ValueError, naming the field, for a value out of range.
    """

    seed: int = 1
    as_of: date | datetime = field(default_factory=_now)
    speed: float = 0.0
    encounters: int = 5_000
    patients: int = 2_000
    days: int = 30
    payers: int = 40
    client_id: str = "emulator"
    client_secret: str = field(default="emulator-secret", repr=False)
    token_lifetime: int = 18_000
    rate_limit: int = 0
    latency: int = 0
    access_log: bool = False
    faults: tuple[FaultRule, ...] = ()
    precompute: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"{name} must be a whole number from {least} to {most}")
        for name in ("client_id", "client_secret"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        if isinstance(self.speed, bool) or not isinstance(self.speed, int | float) or not 0 <= self.speed <= _FASTEST:
            raise ValueError(f"speed must be a number from 0 to {_FASTEST:.0f}")
        if self.precompute and self.speed:
            raise ValueError("precompute needs a world that stands still: speed 0")
        _check_as_of(self.as_of)

    @property
    def starts_at(self) -> int:
        """The instant `as_of` means, in microseconds since 1970."""
        instant = self.as_of
        if not isinstance(instant, datetime):
            instant = datetime.combine(instant, time(), UTC) + timedelta(days=1)
        return (instant - EPOCH) // timedelta(microseconds=1)


def _check_as_of(as_of: object) -> None:
    if not isinstance(as_of, date) or not 1990 <= as_of.year <= 2200:
        raise ValueError("as_of must be a date or an instant from 1990 to 2200")
    if isinstance(as_of, datetime) and as_of.utcoffset() is None:
        raise ValueError("as_of must have a UTC offset when it is an instant, as in 2026-03-15T12:00:00Z")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the emulator's options, in groups, and examples of them to a command line."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--endpoints",
        nargs="?",
        const="text",
        choices=("text", "markdown"),
        metavar="FORMAT",
        help="print Candid's endpoints and which are emulated, and end; FORMAT is text or markdown (default: text)",
    )
    network = parser.add_argument_group("network")
    network.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    network.add_argument("--port", type=int, default=5050, metavar="N", help="0 = any free port (default: 5050)")
    network.add_argument(
        "--pre-encounter-port",
        type=int,
        metavar="N",
        help="second port with the same API, for the SDK's LOCAL environment; 0 = none "
        "(default: 4000 when --port is 5050, else none)",
    )
    network.add_argument("--latency", type=int, metavar="MS", help="delay of every API answer (default: 0)")
    network.add_argument(
        "--access-log",
        action="store_true",
        help="print method, route, status and milliseconds of each request to stderr; never a query",
    )
    network.add_argument(
        "--precompute",
        action="store_true",
        help="make the pages of encounters (100 each, at most 1 GiB) at the start, to measure a client",
    )
    _add_world(parser.add_argument_group("invented data"))
    _add_tokens(parser.add_argument_group("tokens"))
    faults.add_arguments(parser.add_argument_group("faults"))


def _add_world(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seed", type=int, metavar="N", help="another seed, another world (default: 1)")
    group.add_argument(
        "--as-of",
        type=_date_or_instant,
        metavar="WHEN",
        help="where the world's time starts: an instant with UTC offset, or a date for the end of that day, UTC "
        "(default: now)",
    )
    group.add_argument(
        "--speed",
        type=float,
        metavar="N",
        help="seconds that pass in the world per real second: 1 is real time, 86400 a day per second, "
        "0 a world that stands still (default: 1, with --precompute 0)",
    )
    group.add_argument("--days", type=int, metavar="N", help="days of service before --as-of (default: 30)")
    group.add_argument("--encounters", type=int, metavar="N", help="up to 100 million (default: 5000)")
    group.add_argument("--patients", type=int, metavar="N", help="up to 100 million (default: 2000)")
    group.add_argument("--payers", type=int, metavar="N", help="up to 10,000 (default: 40)")


def _date_or_instant(text: str) -> date | datetime:
    for read in (date.fromisoformat, datetime.fromisoformat):
        with suppress(ValueError):
            return read(text)
    raise argparse.ArgumentTypeError("must be a date, 2026-03-15, or an instant, 2026-03-15T12:00:00Z")


def _add_tokens(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--client-id", metavar="ID", help="accepted client id (default: emulator)")
    group.add_argument("--client-secret", metavar="SECRET", help="accepted secret (default: emulator-secret)")
    group.add_argument("--token-lifetime", type=int, metavar="SECONDS", help="default: 18000, Candid's 5 hours")
    group.add_argument(
        "--rate-limit",
        type=int,
        metavar="N",
        help="most tokens in any 60 s, 429 beyond (default: 0 = no limit)",
    )


def config_from(arguments: argparse.Namespace) -> EmulatorConfig:
    """The settings on a command line made by `add_arguments`; ValueError names what is out of range."""
    given = {item.name: getattr(arguments, item.name, None) for item in fields(EmulatorConfig)}
    if given["speed"] is None:
        given["speed"] = 0.0 if given["precompute"] else 1.0
    given["faults"] = faults.rules_from(arguments)
    return EmulatorConfig(**{name: value for name, value in given.items() if value is not None})
