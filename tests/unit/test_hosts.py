"""Hosts of origins that are busy, closed, probed, opened again and given up."""

from datetime import UTC, datetime, timedelta

from workflows.hosts import Hosts
from workflows.retries import MAX_HAND_BACK_S, hand_back_wait

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT = timedelta(seconds=20)
A, B = "a.example", "b.example:8080"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_host_has_so_many_connections() -> None:
    hosts = Hosts(connections=2, attempts=4)
    for _ in range(2):
        assert hosts.may_be_asked(A, NOW)
        hosts.begin(A)
    assert not hosts.may_be_asked(A, NOW)
    assert hosts.may_be_asked(B, NOW)
    hosts.end(A)
    assert hosts.may_be_asked(A, NOW)


def test_files_have_no_host_and_no_bound() -> None:
    hosts = Hosts(connections=1, attempts=4)
    hosts.begin("")
    assert hosts.may_be_asked("", NOW)


def test_a_closed_host_is_probed_by_one() -> None:
    hosts = Hosts(connections=8, attempts=4)
    hosts.close(A, NOW, WAIT)
    assert hosts.closed(NOW) == {A: later(20)}
    assert not hosts.may_be_asked(A, later(19))
    assert hosts.may_be_asked(A, later(20))
    hosts.begin(A)
    assert not hosts.may_be_asked(A, later(21)), "the probe is under way"
    hosts.end(A)
    hosts.release_probe(A)
    assert hosts.may_be_asked(A, later(22)), "it came to nothing"
    hosts.open(A)
    assert not hosts.is_closed(A)
    assert hosts.closed(later(22)) == {}


def test_answers_to_what_was_in_flight_close_a_host_once() -> None:
    hosts = Hosts(connections=8, attempts=2)
    for _ in range(8):
        hosts.close(A, NOW, WAIT)
    assert not hosts.is_given_up(A)
    hosts.close(A, later(1), WAIT)
    assert hosts.closed(NOW) == {A: later(21)}
    assert not hosts.is_given_up(A)


def test_a_host_that_stays_closed_is_given_up() -> None:
    hosts = Hosts(connections=8, attempts=3)
    for times in range(3):
        assert not hosts.is_given_up(A)
        hosts.close(A, later(times * 20), WAIT)
    assert hosts.is_given_up(A)
    assert hosts.may_be_asked(A, later(41)), "what waits for it is tried once, each"
    hosts.open(A)
    assert not hosts.is_given_up(A)


def test_what_is_handed_back_again_and_again_waits_longer() -> None:
    waits = [hand_back_wait(1.0, times).total_seconds() for times in range(12)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == MAX_HAND_BACK_S
    assert hand_back_wait(60.0, 3).total_seconds() == 60, "no host is asked before it says"
