from __future__ import annotations

import argparse
import math
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.emulator import EmulatorConfig, add_arguments, config_from
from candid_provider.emulator.world.clock import WorldClock
from candid_provider.emulator.world.identifiers import Identifiers
from candid_provider.emulator.world.timeline import Timeline

START = 1_773_619_200_000_000  # 2026-03-16T00:00:00Z
DAY = 86_400_000_000


class Real:
    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


# --- the clock


def test_it_stands_still_until_it_is_moved() -> None:
    real = Real()
    clock = WorldClock(START, real=real)
    real.seconds += 1_000
    assert clock.now() == START
    assert clock.advance(1.5) == clock.now() == START + 1_500_000
    assert clock.move_to(START + DAY) == clock.now() == START + DAY


def test_at_a_speed_it_follows_real_time() -> None:
    real = Real()
    clock = WorldClock(START, 60, real)
    real.seconds += 2
    assert clock.now() == START + 120_000_000
    clock.advance(10)
    real.seconds += 1
    assert clock.now() == START + 190_000_000


def test_a_change_of_speed_does_not_make_it_jump() -> None:
    real = Real()
    clock = WorldClock(START, 60, real)
    real.seconds += 1
    clock.speed = 0
    real.seconds += 100
    assert clock.now() == START + 60_000_000
    clock.speed = 2
    assert (clock.speed, clock.now()) == (2, START + 60_000_000)
    real.seconds += 1
    assert clock.now() == START + 62_000_000


@pytest.mark.parametrize("speed", [0, 1e-6, 1, 86_400])
@given(pauses=st.lists(st.sampled_from([0.0, 1e-7, 0.0004, 0.3]), min_size=1, max_size=20))
def test_each_write_has_a_later_whole_millisecond_that_is_never_in_the_future(
    speed: float, pauses: list[float]
) -> None:
    real = Real()
    clock = WorldClock(START, speed, real)
    told = [clock.now()]
    for pause in pauses:
        real.seconds += pause
        told.append(clock.tick())
        assert told[-1] <= clock.now()
    assert all(before < after and after % 1000 == 0 for before, after in pairwise(told))


@pytest.mark.parametrize("seconds", [-0.001, math.nan, math.inf, 1e300, 7_000 * 366 * 86_400.0])
def test_it_never_goes_back_nor_out_of_the_calendar(seconds: float) -> None:
    clock = WorldClock(START)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="forward"):
        clock.move_to(START - 1)
    assert clock.now() == START


@pytest.mark.parametrize("speed", [-1.0, math.nan, math.inf])
def test_a_speed_is_a_number_from_0_on(speed: float) -> None:
    clock = WorldClock(START)
    with pytest.raises(ValueError, match="speed"):
        clock.speed = speed
    with pytest.raises(ValueError, match="speed"):
        WorldClock(START, speed)


def test_threads_never_share_a_tick() -> None:
    clock, told = WorldClock(START), list[int]()
    threads = [Thread(target=lambda: told.extend(clock.tick() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [START + 1000 * n for n in range(1, 2001)]


# --- where the world's time starts


@pytest.mark.parametrize(
    ("as_of", "starts_at"),
    [
        (date(2026, 3, 15), START),
        (datetime(2026, 3, 16, tzinfo=UTC), START),
        (datetime(2026, 3, 15, 19, tzinfo=timezone(timedelta(hours=-5))), START),
        (datetime(2026, 3, 15, 23, 59, 59, 999_999, tzinfo=UTC), START - 1),
    ],
)
def test_a_date_means_its_end_and_an_instant_itself(as_of: date, starts_at: int) -> None:
    assert EmulatorConfig(as_of=as_of).starts_at == starts_at


def test_it_starts_now_and_stands_still_by_default() -> None:
    config = EmulatorConfig()
    assert abs(config.starts_at / 1e6 - datetime.now(UTC).timestamp()) < 600
    assert config.speed == 0


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"as_of": datetime(2026, 3, 15, 12)}, "as_of must have a UTC offset"),  # noqa: DTZ001 - refused
        ({"as_of": datetime(1989, 12, 31, tzinfo=UTC)}, "as_of"),
        ({"as_of": "2026-03-15"}, "as_of"),
        *(({"speed": value}, "speed") for value in (-1, 1e7, math.nan, math.inf, True, "1", None)),
    ],
)
def test_a_setting_of_time_that_is_out_of_range_is_named(setting: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        EmulatorConfig(**setting)


def from_command_line(*arguments: str) -> EmulatorConfig:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return config_from(parser.parse_args(arguments))


def test_the_command_line_takes_dates_instants_and_speeds() -> None:
    assert from_command_line().speed == 1
    assert from_command_line("--speed", "0.5").speed == 0.5
    assert from_command_line("--as-of", "2026-03-15").starts_at == START
    assert from_command_line("--as-of", "2026-03-15T23:00:00Z").starts_at == START - 3_600_000_000
    assert from_command_line("--as-of", "2026-03-16T02:00:00+02:00").starts_at == START


@pytest.mark.parametrize("text", ["soon", "2026-02-30", ""])
def test_the_command_line_says_what_as_of_can_be(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        from_command_line("--as-of", text)
    assert "--as-of: must be a date, 2026-03-15, or an instant, 2026-03-15T12:00:00Z" in capsys.readouterr().err


def test_an_instant_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="as_of must have a UTC offset"):
        from_command_line("--as-of", "2026-03-15T12:00:00")


# --- indices and instants


@given(
    slots=st.integers(1, 100_000_000),
    days=st.integers(1, 3650),
    places=st.integers(1, 6),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_indices_and_instants_are_each_others_inverse(
    slots: int, days: int, places: int, seed: int, data: st.DataObject
) -> None:
    timeline = Timeline(Identifiers(seed), START, days * DAY, slots, places)
    index = data.draw(st.integers(0, 3 * slots * places))
    moment = timeline.instant(index)
    assert moment < timeline.instant(index + 1)
    assert timeline.passed(moment) == index + 1
    assert timeline.passed(moment - 1) == index
    assert timeline.slot(index // places) <= moment < timeline.slot(index // places + 1)
    assert timeline.slots_before(timeline.slot(index // places)) == index // places


def test_nothing_has_passed_before_the_start() -> None:
    timeline = Timeline(Identifiers(1), START, DAY, 10, 6)
    assert timeline.passed(START - 1) == timeline.passed(0) == timeline.slots_before(0) == 0
