"""Batches: submitting, reading, retrying, cancelling. Their counts are kept by triggers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg import sql
from psycopg.types.json import Jsonb

from projection import manifest, queue
from projection.database import Connection, many, one, value, values
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("batch")
_entry = statements("entry")
_asset = statements("asset")

CANCELLED = "Cancelled"
"""The error of an asset whose batch was cancelled before work on it started."""


@dataclass(frozen=True)
class Batch:
    """A batch with its counts: waiting + processing + completed = count; errors are completed."""

    id: int
    customer_id: int
    manifest_key: int
    kind: str
    submitted: datetime
    state: str
    count: int
    waiting: int
    processing: int
    completed: int
    errors: int
    owned: int
    superseded: bool
    cancelled: bool
    paused: bool
    started: datetime | None
    completed_before: int
    finished: datetime | None
    requested: int


class BatchView(StrEnum):
    """The collections that batches are shown in."""

    ALL = "all"
    ACTIVE = "active"
    RECENT = "recent"


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used with another body within 24 hours."""


class BatchFinished(Exception):
    """The batch has finished: there is nothing to cancel."""


class NothingFailed(Exception):
    """None of the batch's assets failed: there is nothing to retry."""


class NotFailedHere(Exception):
    """Assets to be retried did not fail in this batch; `assets` are their (space, id)."""

    def __init__(self, assets: Sequence[tuple[int, str]]) -> None:
        super().__init__(assets)
        self.assets = assets


def _read(name: str) -> sql.SQL:
    return sql.SQL(_sql[name])


_COLUMNS = sql.SQL(_sql["columns"])


async def get(
    connection: Connection,
    customer_id: int,
    batch_id: int,
    manifest_key: int = queue.CUSTOMER_QUEUE,
) -> Batch | None:
    """The customer's batch (of this manifest, if one is given), or None."""
    return await one(
        connection,
        Batch,
        _read("get").format(columns=_COLUMNS),
        {"id": batch_id, "customer_id": customer_id, "manifest_key": manifest_key},
    )


async def page(
    connection: Connection,
    view: BatchView,
    customer_id: int,
    manifest_key: int,
    window: Window,
) -> Page[Batch]:
    """One page of a customer's batches, or of a manifest's."""
    counters = await queue.counters(connection, customer_id, manifest_key)
    total = {
        BatchView.ALL: counters.batches,
        BatchView.ACTIVE: counters.batches_active,
        BatchView.RECENT: counters.batches_recent,
    }[view]
    rows = span(window, total)
    of = "" if manifest_key == queue.CUSTOMER_QUEUE else "manifest_"
    found = await many(
        connection,
        Batch,
        _read(f"{of}{view}_batches").format(columns=_COLUMNS, **rows.order),
        {
            "customer_id": customer_id,
            "manifest_key": manifest_key,
            "limit": rows.limit,
            "offset": rows.offset,
        },
    )
    return Page(rows.arrange(found), total)


async def submit(
    connection: Connection,
    customer_id: int,
    manifest_key: int,
    kind: str,
    members: Sequence[Mapping[str, object]],
) -> int:
    """Writes a batch with its assets and entries, and ends older entries that still wait.

    Args:
        members: one mapping for each asset, its keys the columns of table asset that clients set.

    Returns:
        The batch's id. Its workflow has still to be told: `requested` is 1; and so have those of
        the batches in which older entries ended.

    Raises:
        ManifestGone: the manifest has been deleted.
    """
    named: dict[str, object] = {
        "customer_id": customer_id,
        "manifest_key": manifest_key,
        "kind": kind,
    }
    if manifest_key != queue.CUSTOMER_QUEUE:
        await manifest.hold(connection, manifest_key)
    batch_id: int = await value(connection, _sql["create"], named)
    named["batch_id"] = batch_id
    numbered = [{**member, "ordinal": number} for number, member in enumerate(members, 1)]
    taken = await connection.execute(_asset["submit"], {**named, "members": Jsonb(numbered)})
    older = await taken.fetchall()
    if older:  # before the new entries: their count locks the queue, and older batches come first
        ended_in = await values(
            connection,
            _entry["take"],
            {
                "batch_ids": [row["batch_id"] for row in older],
                "ordinals": [row["ordinal"] for row in older],
            },
        )
        await request(connection, ended_in)
    await connection.execute(_entry["submit"], named)
    if manifest_key != queue.CUSTOMER_QUEUE:
        await manifest.associate(connection, manifest_key, batch_id)
    return batch_id


async def use_key(
    connection: Connection, customer_id: int, key: str, request_hash: bytes
) -> int | None:
    """Takes an Idempotency-Key, or gives the id of the batch that it stands for.

    Waits for another transaction that is taking the same key right now.

    Raises:
        IdempotencyConflict: it stands for another body.
    """
    named = {"customer_id": customer_id, "key": key, "request_hash": request_hash}
    await connection.execute(_sql["idempotency_expire"], named)
    if await value(connection, _sql["idempotency_claim"], named) is not None:
        return None
    cursor = await connection.execute(_sql["idempotency_get"], named)
    row = await cursor.fetchone()
    if row is None or row["request_hash"] != request_hash:
        raise IdempotencyConflict
    return int(row["batch_id"])


async def keep_key(connection: Connection, customer_id: int, key: str, batch_id: int) -> None:
    """From now on the taken Idempotency-Key stands for this batch."""
    named = {"customer_id": customer_id, "key": key, "batch_id": batch_id}
    await connection.execute(_sql["idempotency_use"], named)


async def retry(
    connection: Connection, batch_id: int, only: Sequence[tuple[int, str]] | None
) -> None:
    """Failed entries wait again: all that failed, or those of the assets in `only`.

    Raises:
        NothingFailed: no asset failed in this batch, or later batches have them all.
        NotFailedHere: some in `only` did not.
    """
    failed = await _failed(connection, batch_id)
    if only is not None and (strangers := [asset for asset in only if asset not in failed]):
        raise NotFailedHere(strangers)
    ordinals = sorted(failed.values() if only is None else {failed[asset] for asset in only})
    if not ordinals:
        raise NothingFailed
    await connection.execute(_sql["retry"], {"id": batch_id, "ordinals": ordinals})
    await request(connection, [batch_id])


async def retry_failed(connection: Connection, batch_id: int, assets: Sequence[str] | None) -> int:
    """As `retry`, for assets given as `space/id`; leaves alone what did not fail. How many."""
    failed = await _failed(connection, batch_id)
    ordinals = [
        ordinal
        for (space_id, asset_id), ordinal in failed.items()
        if assets is None or f"{space_id}/{asset_id}" in assets
    ]
    if ordinals:
        await connection.execute(_sql["retry"], {"id": batch_id, "ordinals": ordinals})
    return len(ordinals)


async def _failed(connection: Connection, batch_id: int) -> dict[tuple[int, str], int]:
    """Ordinals of what can be retried, by (space, id); they stay until the transaction ends."""
    locked = await values(connection, _sql["lock_assets"], {"id": batch_id, "state": "error"})
    cursor = await connection.execute(_sql["failed"], {"id": batch_id, "ordinals": locked})
    return {(r["space_id"], r["asset_id"]): r["ordinal"] for r in await cursor.fetchall()}


async def cancel(connection: Connection, batch_id: int) -> None:
    """As `cancel_waiting`, from outside the batch's workflow, which has still to be told."""
    await cancel_waiting(connection, batch_id)
    await request(connection, [batch_id])


async def cancel_waiting(connection: Connection, batch_id: int) -> None:
    """What has not started, or waits for another try, ends with the error `Cancelled`; what is
    being fetched does as soon as its worker looks.

    Raises:
        BatchFinished: every entry has ended.
    """
    locked = await values(connection, _sql["lock_between_tries"], {"id": batch_id})
    named = {"id": batch_id, "ordinals": locked, "error": CANCELLED}
    ended = await values(connection, _sql["cancel"], named)
    if not await values(connection, _sql["cancelled"], {"id": batch_id, "ended": len(ended)}):
        raise BatchFinished


async def recheck(connection: Connection, batch_id: int) -> bool:
    """Recounts the batch from its entries and assets; true when anything was corrected."""
    await connection.execute(_sql["lock"], {"id": batch_id})
    return await value(connection, _sql["recount"], {"id": batch_id}) is not None


@dataclass(frozen=True)
class Plan:
    """What a batch's workflow has to know of it."""

    customer_id: int
    kind: str
    count: int
    weight: float


@dataclass(frozen=True)
class Progress:
    """A batch's counts, as its workflow needs them."""

    state: str
    count: int
    waiting: int
    processing: int
    completed: int
    errors: int
    cancelled: bool
    paused: bool


@dataclass(frozen=True)
class Dispatch:
    """A batch whose workflow has to be told, for the `requested`th time."""

    id: int
    customer_id: int
    kind: str
    requested: int


async def plan(connection: Connection, batch_id: int) -> Plan | None:
    """What its workflow has to know, or None when there is no such batch."""
    return await one(connection, Plan, _sql["plan"], {"id": batch_id})


async def progress(connection: Connection, batch_id: int) -> Progress | None:
    """Its counts, or None when there is no such batch."""
    return await one(connection, Progress, _sql["progress"], {"id": batch_id})


async def request(connection: Connection, batch_ids: Iterable[int | None]) -> list[Dispatch]:
    """The workflows of these batches have to be told: something changed that they do not know of.

    After their entries are changed, which locks them. Of `batch_ids`, None is left out: statements
    give it for an entry that had ended already.
    """
    chosen = sorted({batch_id for batch_id in batch_ids if batch_id is not None})
    if not chosen:
        return []
    await connection.execute(_sql["lock_many"], {"batch_ids": chosen})
    return await many(connection, Dispatch, _sql["request"], {"batch_ids": chosen})


async def undispatched(
    connection: Connection, limit: int, *, newest: bool = False
) -> list[Dispatch]:
    """The outbox: batches whose workflow is not known to have been told, oldest (newest) first."""
    statement = _sql["newest_undispatched" if newest else "undispatched"]
    return await many(connection, Dispatch, statement, {"limit": limit})


async def unfinished(connection: Connection, after: int, limit: int) -> list[Dispatch]:
    """Batches with entries that have not ended, by id, beyond id `after`."""
    parameters = {"after": after, "limit": limit}
    return await many(connection, Dispatch, _sql["unfinished"], parameters)


async def dispatched(connection: Connection, told: Sequence[Dispatch]) -> None:
    """Their workflows have been told."""
    if told:
        named = {"batch_ids": [d.id for d in told], "requests": [d.requested for d in told]}
        await connection.execute(_sql["lock_many"], named)
        await connection.execute(_sql["dispatched"], named)


async def clean_keys(connection: Connection) -> None:
    """Forgets Idempotency-Keys older than a day."""
    await connection.execute(_sql["idempotency_clean"])


async def pause(connection: Connection, batch_id: int, paused: bool) -> None:
    """Holds the batch back, or lets it go on; what is in process finishes."""
    await connection.execute(_sql["pause"], {"id": batch_id, "paused": paused})


@dataclass(frozen=True)
class Failed:
    """An asset that failed, as `space/id`, and its error."""

    asset: str
    error: str


async def first_failed(connection: Connection, batch_id: int, limit: int) -> list[Failed]:
    """The first of the batch's assets that failed, as they were sent."""
    parameters = {"id": batch_id, "limit": limit}
    return await many(connection, Failed, _sql["first_failed"], parameters)


@dataclass(frozen=True)
class BetweenTries:
    """An asset as `space/id` that waits for another try."""

    asset: str
    attempts: int
    last_fault: str | None
    next_attempt: datetime


async def between_tries(connection: Connection, batch_id: int) -> list[BetweenTries]:
    """The first hundred of the batch's assets that wait for another try, by its time."""
    return await many(connection, BetweenTries, _sql["between_tries"], {"id": batch_id})


async def unfinished_of(connection: Connection, customer_id: int, kind: str) -> list[int]:
    """Ids of unfinished batches that a customer sent to their main or priority queue."""
    parameters = {"customer_id": customer_id, "kind": kind}
    return await values(connection, _sql["held_by"], parameters)
