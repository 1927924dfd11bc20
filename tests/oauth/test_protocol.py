"""The refresh protocol, simulated: seeded fleets in virtual time."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from candid_provider.exceptions import CandidAuthError, CandidRateLimitError, CandidUnavailableError
from candid_provider.oauth.store import StoreUnavailable
from tests.oauth.simulation import CREDENTIALS, LIFE, Process, World, calm, fleet, harsh

SEEDS = range(150)


def tokens(processes: list[Process]) -> set[str]:
    return {process.got.value for process in processes if process.got}


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_cold_fleet_mints_once_on_a_calm_store(size: int) -> None:
    for seed in SEEDS:
        world = World(seed)
        processes = fleet(world, size)
        world.run()
        assert len(world.posts) == 1, f"seed {seed}"
        assert len(tokens(processes)) == 1, f"seed {seed}"


def test_a_cold_fleet_is_ready_within_three_seconds_of_the_mint() -> None:
    for seed in SEEDS:
        world = World(seed, mint_seconds=lambda chance: 0.5)
        processes = fleet(world, 64)
        world.run()
        assert max(process.waited for process in processes) < 3.5, f"seed {seed}"


def test_a_store_with_tails_of_many_seconds_costs_few_duplicates_and_few_failures() -> None:
    mints: Counter[int] = Counter()
    for seed in SEEDS:
        world = World(seed, delay=harsh)
        processes = fleet(world, 64)
        world.run()
        assert all(process.ended for process in processes), f"seed {seed}"
        mints[len(world.posts)] += 1
    assert mints[1] >= 0.95 * len(SEEDS), mints
    assert set(mints) <= {0, 1, 2}, mints


def test_a_warm_start_loads_once_and_writes_nothing() -> None:
    world = World(1)
    fleet(world, 1)
    world.run()
    saves = world.saves
    late = [Process(world, n) for n in range(1, 101)]
    for process in late:
        process.ask(100.0)
    world.run()
    assert len(world.posts) == 1
    assert world.saves == saves
    assert all(world.loads[process.number] == 1 for process in late)


def test_a_process_with_a_fresh_token_in_memory_asks_nobody() -> None:
    world = World(1)
    (process,) = fleet(world, 1)
    world.run()
    loads = world.loads[0]
    process.ask(200.0)
    world.run()
    assert process.got
    assert world.loads[0] == loads


def test_a_refused_token_is_replaced_once_by_the_whole_fleet() -> None:
    for seed in SEEDS:
        world = World(seed)
        processes = fleet(world, 32)
        world.run()
        (old,) = tokens(processes)
        for process in processes:
            process.ask(world.now + 5 + world.chance.uniform(0, 0.3), refused=old)
        world.run()
        assert len(world.posts) == 2, f"seed {seed}"
        assert len(tokens(processes)) == 1, f"seed {seed}"
        assert old not in tokens(processes), f"seed {seed}"
        assert max(process.waited for process in processes) < 4, f"seed {seed}"


def test_a_process_whose_refused_token_is_not_the_stored_one_takes_the_stored_one() -> None:
    world = World(1)
    early, late = fleet(world, 2)
    world.run()
    (old,) = tokens([early, late])
    early.ask(100.0, refused=old)
    world.run(150.0)
    late.ask(200.0, refused=old)
    world.run()
    assert len(world.posts) == 2
    assert late.got == early.got


def test_an_endpoint_that_gives_out_the_refused_token_again_is_asked_once() -> None:
    world = World(1, one_token=True)
    processes = fleet(world, 32)
    world.run()
    for process in processes:
        process.ask(world.now + 5 + world.chance.uniform(0, 0.3), refused="token")
    world.run()
    assert len(world.posts) == 2
    assert all(isinstance(process.error, CandidAuthError) for process in processes)


def test_one_process_renews_ahead_of_time_while_the_others_go_on() -> None:
    for seed in range(30):
        world = World(seed)
        processes = fleet(world, 32)
        world.run()
        for minute in range(240, 300):
            for process in processes:
                process.ask(minute * 60 + world.chance.uniform(0, 60))
        world.run(until=299 * 60 + 59)
        assert len(world.posts) == 2, f"seed {seed}"
        assert world.posts[1] < LIFE - 1500, f"seed {seed}"
        assert all(process.got for process in processes)


def test_nobody_waits_for_a_renewal_ahead_of_time_but_the_one_who_does_it() -> None:
    world = World(3)
    processes = fleet(world, 32)
    world.run()
    waits = []
    for minute in range(240, 298):
        for process in processes:
            process.ask(minute * 60.0 + world.chance.uniform(0, 60))
        world.run(until=minute * 60 + 59.9)
        waits += [process.waited for process in processes]
    assert sum(wait > 0.5 for wait in waits) <= 3


def test_an_old_token_outlives_an_outage_of_the_endpoint() -> None:
    down = (LIFE - 1800, LIFE - 300)

    def endpoint(now: float) -> None:
        if down[0] <= now <= down[1]:
            raise CandidUnavailableError("the token endpoint answered HTTP 500")

    for seed in range(30):
        world = World(seed, endpoint=endpoint)
        processes = fleet(world, 8)
        world.run()
        for second in range(int(down[0]), int(LIFE) + 600, 20):
            for process in processes:
                process.ask(second + world.chance.uniform(0, 5))
            world.run(until=second + 19.9)
            assert not any(process.error for process in processes), f"seed {seed}"
        assert all(p.got and p.got.expires_at > LIFE for p in processes), f"seed {seed}"


def test_one_429_keeps_the_whole_fleet_away_until_it_is_over() -> None:
    answers = iter([CandidRateLimitError("slow down", retry_after=30.0)])

    def endpoint(now: float) -> None:
        if refusal := next(answers, None):
            raise refusal

    world = World(5, endpoint=endpoint)
    processes = fleet(world, 64)
    world.run()
    assert len(world.posts) == 2
    assert world.posts[1] - world.posts[0] >= 30
    assert all(process.got for process in processes)


def test_ten_minutes_of_429_cost_a_fleet_few_requests() -> None:
    def endpoint(now: float) -> None:
        raise CandidRateLimitError("slow down")

    for seed in range(20):
        world = World(seed, endpoint=endpoint)
        processes = fleet(world, 64)
        for second in range(0, 600, 15):
            for process in processes:
                process.ask(second + world.chance.uniform(0, 5))
            world.run(until=second + 14.9)
        assert len(world.posts) <= 15, f"seed {seed}"


def test_refused_credentials_are_asked_for_once_and_remembered_by_all() -> None:
    def endpoint(now: float) -> None:
        raise CandidAuthError("refused")

    world = World(7, endpoint=endpoint)
    processes = fleet(world, 64)
    world.run()
    assert len(world.posts) == 1
    assert all(isinstance(process.error, CandidAuthError) for process in processes)


def test_a_process_killed_at_any_moment_costs_the_others_only_its_hold() -> None:
    for seed in SEEDS:
        world = World(seed)
        processes = fleet(world, 16)
        world.at(world.chance.uniform(0, 3), processes[world.chance.randrange(16)].kill)
        world.run()
        living = [process for process in processes if not process.dead]
        assert all(process.got for process in living), f"seed {seed}"
        assert max(process.waited for process in living) < 25, f"seed {seed}"
        assert len(world.posts) <= 3, f"seed {seed}"


@pytest.mark.parametrize("garbage", ["***", "", "{}", '{"v":1}', "gAAAAA", "null", "\x00"])
def test_garbage_in_the_store_blocks_nobody(garbage: str) -> None:
    world = World(2)
    fleet(world, 1)
    world.run()
    names = list(world.registers)
    for name in names:
        world.registers[name] = garbage
    other = Process(world, 9)
    other.ask(world.now + 1)
    world.run()
    assert other.got
    assert other.waited < 3


def test_a_hold_dated_far_ahead_blocks_nobody() -> None:
    world = World(2)
    (process,) = fleet(world, 1)
    hold = '{"v":1,"owner":"x","nonce":"y","reason":"throttled","seconds":1e9,"until":4070908800.0}'
    world.registers[CREDENTIALS.hold_register] = hold
    world.run()
    assert process.got
    assert process.waited < 3


@pytest.mark.parametrize("kind", ["read", "everything"])
def test_without_a_store_each_process_mints_for_itself_a_bounded_number_of_times(kind: str) -> None:
    def store(now: float) -> None:
        raise StoreUnavailable("the API server does not answer")

    world = World(4, store=store)
    processes = fleet(world, 4)
    world.run()
    assert len(world.posts) == 4
    assert all(process.got for process in processes)
    refused = [process.got.value for process in processes if process.got]
    for round_ in range(10):
        for process, old in zip(processes, refused, strict=True):
            process.ask(20.0 + round_, refused=process.got.value if process.got else old)
        world.run(20.9 + round_)
    assert len(world.posts) <= 12


def test_a_store_that_forgets_what_is_written_is_given_up() -> None:
    world = World(4)
    (process,) = fleet(world, 1)
    forget = world.registers.clear
    for tenth in range(600):
        world.at(tenth / 10, forget)
    world.run()
    assert process.got
    assert world.notes["fail_open"]
    assert len(world.posts) == 1


def test_clocks_that_are_minutes_apart_cause_no_storm() -> None:
    for seed in range(50):
        world = World(seed, delay=calm)
        processes = fleet(world, 32, skew=600)
        world.run()
        assert all(process.got for process in processes), f"seed {seed}"
        assert len(world.posts) == 1, f"seed {seed}"


@pytest.mark.requirement(9)
def test_two_days_of_ten_thousand_tasks_a_day_mint_seven_times_a_day_at_the_most() -> None:
    day, tasks = 86_400.0, 10_000
    world = World(11)
    late: list[float] = []
    for number in range(2 * tasks):
        process = Process(world, number)
        start = world.chance.uniform(0, 2 * day)
        # A task asks again and again while it runs, for a second or for an hour.
        length = min(3600.0, world.chance.paretovariate(0.5))
        for _ in range(3):
            process.ask(start + world.chance.uniform(0, length))
        world.at(start + length + 60, partial(_note_wait, process, late))
    world.run(2 * day + 7200)
    assert len(world.posts) <= 14
    # Who finds no token waits; who finds one in its advisory window does not, but for the one who renews it.
    assert sum(waited > 0.5 for waited in late) <= len(world.posts) + 3
    assert not any(mint.alone for mint in world.minted)


def _note_wait(process: Process, waits: list[float]) -> None:
    assert process.got
    assert not process.got_useless
    waits.append(process.waited)


@pytest.mark.requirement(16)
@pytest.mark.parametrize("jump", [-600.0, 600.0])
def test_a_clock_that_is_set_in_mid_life_uses_no_token_that_is_over(jump: float) -> None:
    for seed in range(20):
        world = World(seed)
        processes = [
            Process(world, number, skew=world.chance.uniform(-600, 600), step=(LIFE / 2, jump * (number % 2)))
            for number in range(8)
        ]
        for minute in range(0, 700):
            for process in processes:
                process.ask(60 * minute + world.chance.uniform(0, 60))
            world.run(60 * minute + 59.9)
            assert not any(process.error or process.got_useless for process in processes), f"seed {seed}"
        # 700 minutes are two lives and a third; a clock that is set costs one more.
        assert len(world.posts) <= 5, f"seed {seed}"


@pytest.mark.requirement(16)
@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_is_set_by_an_hour_causes_no_storm(jump: float) -> None:
    for seed in range(20):
        world = World(seed)
        processes = [Process(world, number, step=(LIFE / 2, jump * (number % 2))) for number in range(8)]
        for minute in range(0, 700):
            for process in processes:
                process.ask(60 * minute + world.chance.uniform(0, 60))
        world.run(700 * 60.0)
        assert len(world.posts) <= 5, f"seed {seed}"


@pytest.mark.requirement(14)
@pytest.mark.parametrize("later", [0.5, 5.0, 30.0])
def test_an_old_token_written_late_over_a_newer_one_is_gone_after_one_read(later: float) -> None:
    for seed in range(50):
        world = World(seed)
        processes = fleet(world, 8)
        world.run()
        old = dict(world.registers)
        (refused,) = tokens(processes)
        for process in processes:
            process.ask(100.0, refused=refused)
        world.run(110.0)
        world.at(110.0 + later, partial(world.registers.update, old))
        newcomer = Process(world, 99)
        newcomer.ask(150.0)
        world.run(160.0)
        assert newcomer.got
        assert newcomer.got.value == refused
        newcomer.ask(161.0, refused=refused)
        world.run()
        assert newcomer.got
        assert newcomer.got.value != refused
        assert world.registers[CREDENTIALS.token_register] != old[CREDENTIALS.token_register]
        assert len(world.posts) <= 3, f"seed {seed}"


@pytest.mark.parametrize("seconds", [0.3, 0.75, 1.5])
def test_a_store_that_is_always_slow_shares_a_token_all_the_same(seconds: float) -> None:
    world = World(3, delay=lambda chance: seconds)
    processes = fleet(world, 20)
    world.run()
    assert len(world.posts) == 1
    assert all(process.got for process in processes)


@pytest.mark.requirement(10)
def test_an_outage_of_half_a_minute_makes_nobody_mint_alone() -> None:
    for seed in range(50):
        world = World(seed, stalls=((0.05, 30.0),))
        processes = fleet(world, 64)
        world.run()
        assert len(world.posts) == 1, f"seed {seed}"
        assert all(process.got for process in processes), f"seed {seed}"


@pytest.mark.requirement(8)
@pytest.mark.requirement(13)
@pytest.mark.parametrize("left", [890.0, 600.0, 290.0])
def test_a_renewer_that_died_does_not_keep_others_from_renewing(left: float) -> None:
    for seed in range(20):
        world = World(seed)
        fleet(world, 1)
        world.run()
        renewer = Process(world, 1, dies_at=6)
        renewer.ask(LIFE - left)
        world.run(LIFE - left + 20)
        assert renewer.dead
        # Each task is a process of its own and asks once.
        tasks = [Process(world, number) for number in range(2, 40)]
        for number, task in enumerate(tasks):
            task.ask(LIFE - left + 25 + number * (left - 60) / len(tasks))
        world.run(LIFE - 1)
        assert all(task.got and not task.got_useless for task in tasks), f"seed {seed}"
        assert len(world.posts) == 2, f"seed {seed}"
        assert max(task.waited for task in tasks) < 8, f"seed {seed}"
