"""The two transactions around the processing of an asset: it begins, and it ends.

An asset is processed for an entry of a batch, or for a job of its own. Each runs any number of
times without harm: what ended already stays as it is. The claim keeps two from processing one
asset at the same time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from projection import claim
from projection.batch import CANCELLED as CANCELLED
from projection.claim import AssetClaimed as AssetClaimed
from projection.claim import BeyondQuota as BeyondQuota
from projection.claim import ClaimLost as ClaimLost
from projection.database import Connection, value
from projection.statements import statements

_entry = statements("entry")
_job = statements("job")


class HeldBack(Exception):
    """The batch, or the queue it was sent to, is paused: nothing new is begun."""


@dataclass(frozen=True)
class Work:
    """An asset to be processed.

    `strategies`: the customer's for originals, with regex, strategy and sealed credentials in
    base64; `is_bounded`: room for its derivatives has to be reserved in the customer's quota;
    `attempts`: tries in vain so far; `token`: of this one.
    """

    customer_id: int
    space_id: int
    asset_id: str
    media_type: str
    origin: str
    delivery_channels: Sequence[Mapping[str, Any]]
    strategies: Sequence[Mapping[str, str]] = ()
    is_bounded: bool = False
    attempts: int = 0
    token: int = 0


@dataclass(frozen=True)
class Deferral:
    """An asset is to be tried again in `wait_s` seconds, after `attempts` tries in vain.

    `fault` is the message of the last, None if nothing was tried; `closes_host`: its host has said
    that nothing of it is to be asked for before.
    """

    attempts: int
    wait_s: float
    fault: str | None = None
    closes_host: bool = False


@dataclass(frozen=True)
class Processed:
    """How processing ended: `error` is the message for the customer, or None.

    Sizes are in pixels as displayed, `duration` is in milliseconds; `derivatives` hold channel,
    key in the store, bytes and, of pictures, width and height.
    """

    error: str | None = None
    width: int | None = None
    height: int | None = None
    duration: int | None = None
    derivatives: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def _work(row: Mapping[str, Any], token: int) -> Work:
    return Work(
        customer_id=row["customer_id"],
        space_id=row["space_id"],
        asset_id=row["asset_id"],
        media_type=row["media_type"],
        origin=row["origin"],
        delivery_channels=row["delivery_channels"],
        strategies=row["strategies"] or (),
        is_bounded=row["is_bounded"],
        attempts=row["attempts"],
        token=token,
    )


def _outcome(processed: Processed) -> dict[str, object]:
    return {
        "error": processed.error,
        "width": processed.width,
        "height": processed.height,
        "duration": processed.duration,
        "derivatives": Jsonb(list(processed.derivatives)),
    }


async def _read_locked(
    connection: Connection, block: Mapping[str, Any], named: Mapping[str, object]
) -> dict[str, Any] | None:
    """Reads in a statement of its own after the lock, so that what it sees is not older."""
    async with connection.pipeline():
        await connection.execute(block["lock"], named)
        cursor = await connection.execute(block["read"], named)
    return await cursor.fetchone()


async def begin_entry(connection: Connection, batch_id: int, ordinal: int) -> Work | None:
    """Claims the asset of an entry and moves the entry to processing; None: nothing to do.

    Raises:
        AssetClaimed: an older batch or a job is processing the asset; try again in a while.
        HeldBack: the entry waits, and is to go on waiting.
    """
    named: dict[str, object] = {"batch_id": batch_id, "ordinal": ordinal}
    row = await _read_locked(connection, _entry, named)
    if row is None:
        return None
    if not row["owned"] or row["state"] not in ("waiting", "processing"):
        # It has ended, or a newer batch has the asset and this one was being worked on when its
        # worker died: that may have left a claim.
        await _end_entry(connection, named, row, Processed())
        return None
    if row["cancelled"]:  # while a worker had it, that has given it back or died
        await _end_entry(connection, named, row, Processed(error=CANCELLED))
        return None
    if row["held_back"] and row["state"] == "waiting":
        raise HeldBack
    token = await claim.take(connection, row, f"batch-{batch_id}")
    named |= {key: row[key] for key in ("customer_id", "space_id", "asset_id")}
    await connection.execute(_entry["begin"], named)
    return _work(row, token)


async def reserve(connection: Connection, work: Work, size_bytes: int) -> None:
    """Keeps room in the customer's quota, until processing ends, for derivatives of this size.

    Raises:
        BeyondQuota: there is less.
    """
    await claim.reserve(connection, vars(work), size_bytes)


async def check(connection: Connection, work: Work) -> None:
    """Makes sure that this attempt still has the asset.

    Raises:
        ClaimLost: a newer one has it.
    """
    await claim.check(connection, vars(work), work.token)


async def end_entry(
    connection: Connection,
    batch_id: int,
    ordinal: int,
    processed: Processed,
    work: Work | None = None,
) -> None:
    """Records how an entry's processing ended, and lets go of the asset.

    `work` is the attempt that came to it; None: the workflow, when no attempt can say.

    Raises:
        ClaimLost: a newer attempt has the asset.
    """
    named: dict[str, object] = {"batch_id": batch_id, "ordinal": ordinal}
    row = await _read_locked(connection, _entry, named)
    if row is not None:
        if work is not None and row["state"] == "processing":
            await check(connection, work)
        await _end_entry(connection, named, row, processed)


async def _end_entry(
    connection: Connection,
    named: Mapping[str, object],
    row: Mapping[str, Any],
    processed: Processed,
) -> None:
    asset = {key: row[key] for key in ("customer_id", "space_id", "asset_id")}
    async with connection.pipeline():
        outcome = {**named, **asset, **_outcome(processed)}
        await connection.execute(_entry["end_asset"], outcome)
        await connection.execute(_entry["end"], outcome)
        await claim.release(connection, asset, f"batch-{named['batch_id']}")


async def defer_entry(
    connection: Connection, batch_id: int, ordinal: int, work: Work, deferral: Deferral
) -> None:
    """Records that an entry waits for another try, and lets go of the asset meanwhile."""
    named: dict[str, object] = {"batch_id": batch_id, "ordinal": ordinal}
    row = await _read_locked(connection, _entry, named)
    if row is not None and row["state"] == "processing":
        await check(connection, work)
    asset = {key: vars(work)[key] for key in ("customer_id", "space_id", "asset_id")}
    async with connection.pipeline():
        await connection.execute(_entry["defer"], {**named, **asset, **vars(deferral)})
        await claim.release(connection, asset, f"batch-{batch_id}")


async def is_cancelled(connection: Connection, batch_id: int, ordinal: int) -> bool:
    """Whether an entry that is being worked on is wanted no more: its batch was cancelled."""
    named = {"batch_id": batch_id, "ordinal": ordinal}
    return bool(await value(connection, _entry["is_cancelled"], named))


async def begin_job(connection: Connection, job_id: int) -> Work | None:
    """Claims the asset of a job; None: the job has ended, or a newer one has the asset.

    Raises:
        AssetClaimed: a batch or an older job is processing the asset; try again in a while.
    """
    row = await _read_locked(connection, _job, {"job_id": job_id})
    if row is None:
        await claim.release_all(connection, f"job-{job_id}")
        return None
    token = await claim.take(connection, row, f"job-{job_id}")
    await connection.execute(_job["begin"], {"job_id": job_id})
    return _work(row, token)


async def end_job(connection: Connection, job_id: int, work: Work, processed: Processed) -> None:
    """Records how a job ended, and lets go of the asset.

    Raises:
        ClaimLost: a newer attempt has the asset.
    """
    if await _read_locked(connection, _job, {"job_id": job_id}) is not None:
        await check(connection, work)
    async with connection.pipeline():
        await connection.execute(_job["end"], {"job_id": job_id, **_outcome(processed)})
        await claim.release(connection, vars(work), f"job-{job_id}")


async def defer_job(connection: Connection, job_id: int, work: Work, deferral: Deferral) -> None:
    """Records that a job waits for another try, and lets go of the asset meanwhile."""
    async with connection.pipeline():
        await connection.execute(_job["defer"], {"job_id": job_id, **vars(deferral)})
        await claim.release(connection, vars(work), f"job-{job_id}")


async def fail_job(connection: Connection, job_id: int, error: str) -> None:
    """Records that a job failed for good, and lets go of the asset."""
    await connection.execute(_job["end"], {"job_id": job_id, **_outcome(Processed(error=error))})
    await claim.release_all(connection, f"job-{job_id}")
