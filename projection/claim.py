"""Who is processing an asset right now: never two at once."""

from collections.abc import Mapping
from typing import cast

from projection import customer
from projection.database import Connection, value
from projection.statements import statements

_sql = statements("claim")


class AssetClaimed(Exception):
    """The asset is being processed for somebody else right now: `holder`."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class BeyondQuota(Exception):
    """The customer's quota leaves the asset `room` bytes, which is less than it takes."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.room = room


class ClaimLost(Exception):
    """A newer attempt has the asset: this one took so long that it was taken for dead."""


async def take(connection: Connection, asset: Mapping[str, object], holder: str) -> int:
    """Claims an asset (customer_id, space_id, asset_id) for a new attempt of the holder.

    Returns:
        The token of this attempt; an older one of the same holder has lost the claim.

    Raises:
        AssetClaimed: somebody else has it; try again in a while.
    """
    cursor = await connection.execute(_sql["take"], {**asset, "holder": holder})
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the statement inserts or updates
    if row["holder"] != holder:
        raise AssetClaimed(row["holder"])
    return int(row["token"])


async def check(connection: Connection, asset: Mapping[str, object], token: int) -> None:
    """Makes sure that an attempt still has the asset.

    Raises:
        ClaimLost: it has not.
    """
    if not await value(connection, _sql["is_held"], {**asset, "token": token}):
        raise ClaimLost


async def reserve(connection: Connection, asset: Mapping[str, object], size_bytes: int) -> None:
    """Keeps room in the customer's quota for the derivatives of an asset that is claimed.

    Raises:
        BeyondQuota: there is less.
    """
    await customer.lock_quota(connection, cast("int", asset["customer_id"]))
    room = await value(connection, _sql["reserve"], {**asset, "bytes": size_bytes})
    if room is not None and size_bytes > room:
        raise BeyondQuota(max(0, room))


async def release(connection: Connection, asset: Mapping[str, object], holder: str) -> None:
    """Lets go of an asset (customer_id, space_id, asset_id), if the holder has it."""
    await connection.execute(_sql["release"], {**asset, "holder": holder})


async def release_all(connection: Connection, holder: str) -> None:
    """Lets go of whatever the holder has."""
    await connection.execute(_sql["release_all"], {"holder": holder})
