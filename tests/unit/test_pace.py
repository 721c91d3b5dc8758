from typing import Any

from activities.pace import SLOTS, Pace
from settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def measured(**more: Any) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(Settings(**more), clock), clock


def lasted(pace: Pace, clock: Clock, rate: float, seconds: int) -> int:
    """Seconds that an origin may send at this rate, of so many."""
    for second in range(seconds):
        clock.now += 1
        if not pace.keeps_up(int(rate)):
            return second + 1
    return seconds


def test_at_the_least_rate_it_goes_on() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 10_000, 3600) == 3600


def test_below_the_least_rate_it_ends_with_the_first_window() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 9_000, 3600) == 60


def test_a_fast_start_does_not_excuse_a_slow_end() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 50_000_000, 100) == 100
    assert lasted(pace, clock, 100, 3600) in (60, 61)


def test_a_short_pause_is_borne() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 100_000, 100) == 100
    clock.now += 50
    assert pace.keeps_up(1)


def test_a_small_original_may_come_slowly() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 1, 59) == 59


def test_it_ends_after_the_longest_time() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 20_000, 10_000) == 3601


def test_each_ten_gigabytes_give_an_hour_more() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 2_800_000, 20_000) == 20_000
    pace, clock = measured(origin_max_s=10.0)
    assert lasted(pace, clock, 1_000_000_000, 10) == 10
    assert lasted(pace, clock, 20_000, 10_000) == 3601


def test_between_two_connections_no_time_passes() -> None:
    pace, clock = measured()
    assert lasted(pace, clock, 10_000, 1800) == 1800
    clock.now += 5000
    pace.begin()
    assert lasted(pace, clock, 10_000, 3600) == 1801


def test_without_a_least_rate_it_may_drip() -> None:
    pace, clock = measured(origin_min_rate=0)
    assert lasted(pace, clock, 1, 3600) == 3600


def test_little_is_remembered() -> None:
    pace, clock = measured()
    for _ in range(100_000):
        clock.now += 0.01
        assert pace.keeps_up(65536)
    assert len(pace._slots) <= SLOTS + 1
