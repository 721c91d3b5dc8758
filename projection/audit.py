"""What does not agree with what, read from the rows themselves; slow, for an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from projection.database import Connection, many, values
from projection.statements import statements

_sql = statements("audit")
_STALE = sql.SQL(_sql["stale"])


@dataclass(frozen=True)
class MiscountedSpace:
    """A space whose counters say `assets` and `bytes`, and that has `counted`, `counted_bytes`."""

    customer_id: int
    id: int
    assets: int
    bytes: int
    counted: int
    counted_bytes: int


@dataclass(frozen=True)
class StaleClaim:
    """A claim on an asset by somebody who is not processing it."""

    customer_id: int
    space_id: int
    asset_id: str
    holder: str


@dataclass(frozen=True)
class OwnedKey:
    """A key in the store, and the asset that it is of by its name."""

    key: str
    customer_id: int
    space_id: int
    asset_id: str


@dataclass(frozen=True)
class Stored:
    """An asset with its derivatives as recorded."""

    customer_id: int
    space_id: int
    id: str
    derivatives: list[dict[str, Any]]


async def miscounted_batches(connection: Connection) -> list[int]:
    """Batches whose counts do not agree with their entries and assets."""
    return await values(connection, _sql["miscounted_batches"], {})


async def miscounted_spaces(connection: Connection) -> list[MiscountedSpace]:
    """Spaces whose counter does not agree with their assets."""
    return await many(connection, MiscountedSpace, _sql["miscounted_spaces"], {})


async def recount_space(connection: Connection, space: MiscountedSpace) -> None:
    """Corrects a space's counters."""
    await connection.execute(_sql["lock_space"], vars(space))
    await connection.execute(_sql["recount_space"], vars(space))


async def stale_claims(connection: Connection, seconds: float = 0.0) -> list[StaleClaim]:
    """Claims, taken more than `seconds` ago, on assets that nobody is processing.

    That is what the rows say: of an asset that was deleted or sent again meanwhile, a worker may
    not have noticed yet.
    """
    statement = sql.SQL(_sql["stale_claims"]).format(stale=_STALE)
    return await many(connection, StaleClaim, statement, {"seconds": seconds})


async def drop_claim(connection: Connection, claim: StaleClaim) -> None:
    """Lets go of an asset, unless its holder has begun again to process it."""
    await connection.execute(_sql["lock_claimed"], vars(claim))
    await connection.execute(sql.SQL(_sql["drop_claim"]).format(stale=_STALE), vars(claim))


async def unrecorded(connection: Connection, keys: Sequence[OwnedKey]) -> list[OwnedKey]:
    """Those of keys in the store that no asset has recorded, or is about to."""
    columns = {
        "keys": [each.key for each in keys],
        "customers": [each.customer_id for each in keys],
        "spaces": [each.space_id for each in keys],
        "assets": [each.asset_id for each in keys],
    }
    return await many(connection, OwnedKey, _sql["unrecorded"], columns)


async def stored(connection: Connection, after: Stored | None, limit: int) -> list[Stored]:
    """Assets with derivatives, by customer, space and id, beyond `after`."""
    last = after or Stored(0, -1, "", [])
    place = {"customer_id": last.customer_id, "space_id": last.space_id, "id": last.id}
    return await many(connection, Stored, _sql["stored"], {**place, "limit": limit})
