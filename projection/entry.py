"""Entries of a batch, as its workflow pages through them."""

from dataclasses import dataclass

from projection.database import Connection, many
from projection.statements import statements

_sql = statements("entry")


@dataclass(frozen=True)
class OpenEntry:
    """An entry that has not ended; `asset` is `space/id`, and has no origin if it is deleted.

    `is_av`: sound or film is made of it; `is_unfetched`: nothing is, so no host is asked;
    `wait_s`: seconds until it may be tried again.
    """

    ordinal: int
    asset: str
    origin: str | None
    is_av: bool
    is_unfetched: bool
    wait_s: float


async def open_entries(
    connection: Connection, batch_id: int, after: int, limit: int
) -> list[OpenEntry]:
    """Entries that have not ended, by ordinal, beyond ordinal `after`."""
    parameters = {"batch_id": batch_id, "after": after, "limit": limit}
    return await many(connection, OpenEntry, _sql["open"], parameters)
