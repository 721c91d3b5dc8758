"""Assets: reading them in views, and changing them one or many at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from projection import batch, claim
from projection.database import Connection, many, one, value, values
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("asset")
_columns = sql.SQL(_sql["columns"])

FILTERS = ("string1", "string2", "string3", "number1", "number2", "number3", "space")
"""Fields of an asset query (`?q=`)."""

ORDERS = (*FILTERS, "id", "created", "finished", "width", "height", "duration")
"""Fields that a view can be ordered by."""


@dataclass(frozen=True)
class Asset:
    """An asset as its row holds it. `duration` is in milliseconds, sizes are in pixels."""

    customer_id: int
    space_id: int
    id: str
    media_type: str
    origin: str
    delivery_channels: list[dict[str, str]]
    string1: str | None
    string2: str | None
    string3: str | None
    number1: int | None
    number2: int | None
    number3: int | None
    tags: list[str]
    roles: list[str]
    max_unauthorised: int | None
    created: datetime
    batch_id: int | None
    ingesting: bool
    finished: datetime | None
    error: str | None
    width: int | None
    height: int | None
    duration: int | None
    derivatives: list[dict[str, Any]]
    attempts: int
    last_fault: str | None
    next_attempt: datetime | None
    manifests: list[str]


@dataclass(frozen=True)
class AssetView:
    """Which assets: a named block `of_…` of asset.sql with its parameters, and its own order.

    `total` is how many they are, where a counter tells; None: they are counted.
    """

    source: str
    parameters: Mapping[str, object]
    order: Sequence[str]
    total: int | None = None


def of_space(customer_id: int, space_id: int, total: int) -> AssetView:
    """The assets of a space, by id."""
    named = {"customer_id": customer_id, "space_id": space_id}
    return AssetView("of_space", named, ["a.id"], total)


async def of_customer(connection: Connection, customer_id: int) -> AssetView:
    """All assets of a customer, by space and id."""
    named = {"customer_id": customer_id}
    total = await value(connection, _sql["total_of_customer"], named)
    return AssetView("of_customer", named, ["a.space_id", "a.id"], total)


def of_queue(customer_id: int, manifest_key: int, total: int) -> AssetView:
    """Assets on a main queue that have not ended, front of the queue first."""
    source = "of_manifest_queue" if manifest_key else "of_queue"
    named = {"customer_id": customer_id, "manifest_key": manifest_key}
    return AssetView(source, named, ["e.batch_id", "e.ordinal"], total)


def of_batch(batch_id: int, total: int) -> AssetView:
    """Assets whose newest batch this is, as they were sent."""
    return AssetView("of_batch", {"batch_id": batch_id}, ["a.ordinal"], total)


def of_batch_by_state(batch_id: int, state: str) -> AssetView:
    """Those of them whose entry has this state (`completed` or `error`)."""
    return AssetView("of_batch_by_state", {"batch_id": batch_id, "state": state}, ["e.ordinal"])


def of_batch_entries(batch_id: int) -> AssetView:
    """All that the batch was created with and that still exist, as they were sent."""
    return AssetView("of_batch_entries", {"batch_id": batch_id}, ["e.ordinal"])


def of_ids(customer_id: int, space_id: int, ids: Sequence[str]) -> AssetView:
    """These assets of a space, by id."""
    named = {"customer_id": customer_id, "space_id": space_id, "ids": list(ids)}
    return AssetView("of_ids", named, ["a.id"])


def of_manifest(manifest_key: int) -> AssetView:
    """Assets associated with a manifest, by space and id."""
    return AssetView("of_manifest", {"manifest_key": manifest_key}, ["ma.space_id", "ma.asset_id"])


def _column(field: str) -> sql.Composed:
    return sql.SQL("a.{}").format(sql.Identifier("space_id" if field == "space" else field))


async def page(
    connection: Connection,
    view: AssetView,
    window: Window,
    filters: Mapping[str, object],
    order_by: str | None = None,
    descending: bool = False,
) -> Page[Asset]:
    """One page of a view, narrowed by `filters` (of FILTERS) and ordered by a field of ORDERS."""
    source = sql.SQL(_sql[view.source])
    conditions = sql.SQL(" ").join(
        sql.SQL(_sql["condition"]).format(
            field=sql.Identifier("space_id" if field == "space" else field),
            value=sql.Placeholder(f"q_{field}"),
        )
        for field in filters
    )
    named = {**view.parameters, **{f"q_{field}": wanted for field, wanted in filters.items()}}
    total = view.total
    if filters or total is None:
        counting = sql.SQL(_sql["total"]).format(source=source, conditions=conditions)
        total = await value(connection, counting, named)
    rows = span(window, total)
    up, down = rows.order["up"], rows.order["down"]
    order = [sql.SQL(f"{column} ") + up for column in view.order]
    if order_by is not None:
        chosen = _column(order_by) + sql.SQL(" ") + (down if descending else up)
        nulls = sql.SQL(" NULLS FIRST" if rows.backward else " NULLS LAST")
        order.insert(0, chosen + nulls)
    reading = sql.SQL(_sql["page"]).format(
        columns=_columns,
        source=source,
        conditions=conditions,
        order=sql.SQL(", ").join(order),
    )
    found = await many(
        connection, Asset, reading, {**named, "limit": rows.limit, "offset": rows.offset}
    )
    return Page(rows.arrange(found), total)


async def get(
    connection: Connection, customer_id: int, space_id: int, asset_id: str
) -> Asset | None:
    """The asset, or None."""
    named = {"customer_id": customer_id, "space_id": space_id, "id": asset_id}
    return await one(connection, Asset, sql.SQL(_sql["get"]).format(columns=_columns), named)


@dataclass(frozen=True)
class Job:
    """Processing of one asset alone; `is_new` when the asset has been created for it, `is_av` when
    sound or film is made of it."""

    job_id: int
    is_av: bool
    is_new: bool = False


async def put(
    connection: Connection, customer_id: int, space_id: int, fields: Mapping[str, object]
) -> Job:
    """Creates or replaces an asset; the job's workflow has still to be told."""
    named = {
        **fields,
        "customer_id": customer_id,
        "space_id": space_id,
        "delivery_channels": Jsonb(fields["delivery_channels"]),
    }
    (job,) = await many(connection, Job, _sql["put"], named)
    return job


async def lock(
    connection: Connection, customer_id: int, space_id: int, ids: Sequence[str]
) -> set[str]:
    """Which of these assets exist; they do not change until the transaction ends."""
    named = {"customer_id": customer_id, "space_id": space_id, "ids": list(ids)}
    return set(await values(connection, _sql["lock_many"], named))


async def patch(
    connection: Connection,
    customer_id: int,
    space_id: int,
    changes: Mapping[str, Mapping[str, object]],
) -> None:
    """Changes columns of assets, by id; what is not named stays."""
    rows = [{"id": asset_id, "changes": fields} for asset_id, fields in changes.items()]
    named = {"customer_id": customer_id, "space_id": space_id, "changes": Jsonb(rows)}
    await connection.execute(_sql["patch"], named)


async def reprocess(
    connection: Connection, customer_id: int, space_id: int, asset_id: str
) -> Job | None:
    """A job for an asset that exists; None when it does not."""
    named = {"customer_id": customer_id, "space_id": space_id, "id": asset_id}
    return await one(connection, Job, _sql["reprocess"], named)


async def delete(
    connection: Connection, customer_id: int, space_id: int, asset_id: str
) -> int | None:
    """Deletes an asset and ends its entries, whose workflows have still to be told.

    Returns:
        The id of the deletion, for a worker to remove what the asset leaves in the store; None
        when the asset does not exist.
    """
    named = {"customer_id": customer_id, "space_id": space_id, "id": asset_id}
    cursor = await connection.execute(_sql["lock"], named)
    row = await cursor.fetchone()
    if row is None:
        return None
    await connection.execute(_sql["delete"], named)  # its space is locked before any batch
    entries = {**named, "batch_id": row["batch_id"]}
    await batch.request(connection, await values(connection, _sql["end_entries"], entries))
    return await _leave(connection, named, row["derivatives"])


async def leave(
    connection: Connection, customer_id: int, space_id: int, asset_id: str, key: str
) -> int:
    """A deletion for what is in the store under a key, and that the asset has not recorded."""
    named = {"customer_id": customer_id, "space_id": space_id, "id": asset_id}
    return await _leave(connection, named, [{"key": key}])


async def _leave(
    connection: Connection, asset: Mapping[str, object], derivatives: Sequence[object]
) -> int:
    named = {**asset, "derivatives": Jsonb(list(derivatives))}
    deletion_id: int = await value(connection, _sql["leave_derivatives"], named)
    return deletion_id


@dataclass(frozen=True)
class PendingJob:
    """A job that has not ended."""

    customer_id: int
    space_id: int
    id: str
    job_id: int
    is_av: bool


async def pending_jobs(connection: Connection, after: int, limit: int) -> list[PendingJob]:
    """Jobs that have not ended, by id, beyond id `after`."""
    return await many(
        connection, PendingJob, _sql["pending_jobs"], {"after": after, "limit": limit}
    )


@dataclass(frozen=True)
class Deletion:
    """What an asset left in the store, deleted or made by other policies."""

    id: int
    customer_id: int
    space_id: int
    asset_id: str
    derivatives: list[dict[str, Any]]


async def begin_deletion(connection: Connection, deletion_id: int) -> Deletion | None:
    """Claims the asset; None when nothing is left of it.

    Raises:
        AssetClaimed: it is still being processed, or it was sent again and is; try again later.
    """
    deletion = await one(connection, Deletion, _sql["deletion"], {"id": deletion_id})
    if deletion is not None:
        await claim.take(connection, vars(deletion), f"deletion-{deletion_id}")
    return deletion


async def kept_keys(connection: Connection, deletion: Deletion) -> set[str]:
    """Keys in the store that belong to the asset as it is now, sent again or changed."""
    named = {**vars(deletion), "id": deletion.asset_id}
    return set(await values(connection, _sql["kept_keys"], named))


async def end_deletion(connection: Connection, deletion_id: int) -> None:
    """Nothing is left of it in the store."""
    await connection.execute(_sql["end_deletion"], {"id": deletion_id})
    await claim.release_all(connection, f"deletion-{deletion_id}")


async def pending_deletions(connection: Connection, after: int, limit: int) -> list[int]:
    """Deletions that have not ended, by id, beyond id `after`."""
    return await values(connection, _sql["pending_deletions"], {"after": after, "limit": limit})
