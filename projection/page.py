"""Pages of a view, read from whichever end of it is nearer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from psycopg import sql

Row = TypeVar("Row")

_UP, _DOWN = sql.SQL("ASC"), sql.SQL("DESC")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows of one page, and how many the whole view has."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True)
class Window:
    """Where a page lies: page `number` (1-based) of `size` rows each."""

    number: int
    size: int


@dataclass(frozen=True)
class Span:
    """The rows to read: from the front of the view, or from its end when that is nearer."""

    limit: int
    offset: int
    backward: bool

    @property
    def order(self) -> dict[str, sql.SQL]:
        """The words for `{up}` and `{down}` in an ORDER BY."""
        return {"up": _DOWN, "down": _UP} if self.backward else {"up": _UP, "down": _DOWN}

    def arrange(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows as read, in the view's order."""
        return list(reversed(rows)) if self.backward else rows


def span(window: Window, total: int) -> Span:
    """The rows of page `window` in a view of `total` rows; of none, `limit` is 0."""
    start = (window.number - 1) * window.size
    limit = max(0, min(window.size, total - start))
    after = total - start - limit
    if limit and after < start:
        return Span(limit, after, backward=True)
    return Span(limit, start if limit else 0, backward=False)
