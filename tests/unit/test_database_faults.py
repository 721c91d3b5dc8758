"""Which errors of the driver mean that the database is away, and which are bugs."""

from typing import cast

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from projection.database import Connection, is_unavailable


class Line:
    """As much of a connection as is asked."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed


OPEN = cast("Connection", Line(closed=False))
BROKEN = cast("Connection", Line(closed=True))


class OfNoClass(psycopg.OperationalError):
    """A SQLSTATE that the driver has no class for."""

    sqlstate = "53999"


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("08000", "08003", "08006", "08001", "08004", "08P01"),
        *("25006", "40001", "40P01", "55P03", "57014"),
        *("53000", "53100", "53200", "53300", "53400"),
        *("57P01", "57P02", "57P03", "57P04", "57P05"),
        *("58000", "58030", "58P01"),
    ],
)
@pytest.mark.parametrize("connection", [None, OPEN, BROKEN])
def test_away(sqlstate: str, connection: Connection | None) -> None:
    assert is_unavailable(errors.lookup(sqlstate)("said by the server"), connection)


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("22P02", "23503", "23505", "25001", "25P02", "28P01", "3D000"),
        *("40002", "42501", "42601", "42P01", "54001", "55000", "55006", "57000", "XX000", "XX001"),
        *("27000", "38000", "39000", "3B001"),  # OperationalErrors all of them
    ],
)
@pytest.mark.parametrize("connection", [None, OPEN, BROKEN])
def test_a_bug(sqlstate: str, connection: Connection | None) -> None:
    assert not is_unavailable(errors.lookup(sqlstate)("said by the server"), connection)


def test_the_class_of_the_sqlstate_counts_and_not_the_drivers() -> None:
    assert is_unavailable(OfNoClass("new in Postgres 30"), OPEN)
    assert issubclass(errors.TriggeredDataChangeViolation, psycopg.OperationalError)
    assert not issubclass(errors.ReadOnlySqlTransaction, psycopg.OperationalError)


@pytest.mark.parametrize("kind", [psycopg.OperationalError, psycopg.InterfaceError])
def test_without_a_sqlstate_the_connection_counts(kind: type[psycopg.Error]) -> None:
    assert is_unavailable(kind("connection refused"))
    assert is_unavailable(kind("the connection is closed"), BROKEN)
    assert not is_unavailable(kind("another command is already in progress"), OPEN)


@pytest.mark.parametrize("kind", [PoolTimeout, PoolClosed, errors.ConnectionTimeout])
def test_no_connection_could_be_had(kind: type[psycopg.Error]) -> None:
    assert is_unavailable(kind("couldn't get a connection"))


@pytest.mark.parametrize("error", [psycopg.ProgrammingError(""), psycopg.DataError(""), OSError()])
def test_what_is_of_no_connection(error: Exception) -> None:
    assert not is_unavailable(error)
    assert not is_unavailable(error, BROKEN)


@pytest.mark.parametrize(
    ("sqlstate", "away"), [("40001", True), ("25006", True), ("23503", False), ("42601", False)]
)
def test_an_aborted_pipeline_is_judged_by_what_aborted_it(sqlstate: str, away: bool) -> None:
    first = errors.lookup(sqlstate)("said by the server")
    for aborted in (_during(first), _because_of(first)):
        assert is_unavailable(aborted, OPEN) is away
        assert is_unavailable(aborted) is away


def test_an_aborted_pipeline_of_unknown_cause_is_a_bug() -> None:
    for connection in (None, OPEN, BROKEN):
        assert not is_unavailable(errors.PipelineAborted("pipeline aborted"), connection)


def _during(first: Exception) -> Exception:
    aborted = errors.PipelineAborted("pipeline aborted")
    aborted.__context__ = first
    return aborted


def _because_of(first: Exception) -> Exception:
    aborted = errors.PipelineAborted("pipeline aborted")
    aborted.__cause__ = errors.PipelineAborted("pipeline aborted")
    aborted.__cause__.__cause__ = first
    return aborted
