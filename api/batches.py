"""A batch, below the queue it was sent to: its counts, its assets, retry and cancel."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api import bodies
from api.assets import asset_page
from api.dispatch import Dispatcher
from api.hydra import Links, Problem, Resource, bad_request, date, not_found, resource
from api.requests import MadeLinks, TheSettings, database, whole_number
from api.scope import Scope, TheScope
from projection import asset, batch
from projection.database import Connection
from settings import Settings
from workflows.contracts import InFlight, Progress, batch_workflow_id, shown_state

router = APIRouter(prefix="/queue/batches/{batch_id}", tags=["batches"])


def _expected_end(row: batch.Batch) -> datetime | None:
    """When the batch will have finished, at the rate measured since work on it started."""
    ended = row.completed - row.completed_before
    if row.state != "processing" or row.started is None or ended < 1:
        return None
    now = datetime.now(UTC)
    each = max((now - row.started).total_seconds(), 0.001) / ended
    left = min(each * (row.count - row.completed), 10 * 365 * 86400)
    return now + timedelta(seconds=left)


def batch_url(links: Links, customer_id: int, batch_id: int) -> str:
    """The one address of a batch, whichever queue it was sent to."""
    return links.customer(customer_id, "queue", "batches", batch_id)


def shown(links: Links, row: batch.Batch) -> Resource:
    """A batch as clients see it."""
    url = batch_url(links, row.customer_id, row.id)
    return resource(
        "vocab:Batch",
        url,
        id=row.id,
        submitted=date(row.submitted),
        count=row.count,
        completed=row.completed,
        errors=row.errors,
        finished=date(row.finished),
        superseded=row.superseded,
        estCompletion=date(_expected_end(row)),
        images=f"{url}/images",
        assets=f"{url}/assets",
        completedImages=f"{url}/completedImages",
        errorImages=f"{url}/errorImages",
        test=f"{url}/test",
        retry=f"{url}/retry",
        progress=f"{url}/progress",
    )


async def found(connection: Connection, scope: Scope, batch_id: str) -> batch.Batch:
    """The batch of this queue. Raises Problem 404."""
    number = whole_number(batch_id, "batch")
    row = await batch.get(connection, scope.customer, number, scope.manifest_key)
    if row is None:
        raise not_found(f"batch {batch_id}")
    return row


def _nudge(request: Request) -> None:
    dispatcher: Dispatcher = request.app.state.dispatcher
    dispatcher.nudge()


@router.get("")
async def read_batch(
    request: Request, scope: TheScope, batch_id: str, links: MadeLinks
) -> Resource:
    """A batch with its counts."""
    async with database(request) as connection:
        return shown(links, await found(connection, scope, batch_id))


@router.get("/progress")
async def read_progress(
    request: Request, scope: TheScope, batch_id: str, links: MadeLinks, settings: TheSettings
) -> Resource:
    """What the batch's workflow knows at this moment, or else the same from Postgres."""
    async with database(request) as connection:
        row = await found(connection, scope, batch_id)
        counts = await batch.progress(connection, row.id)
        tries = await batch.between_tries(connection, row.id)
    dispatcher: Dispatcher = request.app.state.dispatcher
    known, status = await dispatcher.progress(row.id)
    url = f"{batch_url(links, row.customer_id, row.id)}/progress"
    workflow_id = batch_workflow_id(row.id)
    workflow = {"id": workflow_id, "status": status, "url": _ui_url(settings, workflow_id)}
    told = {name: value for name, value in workflow.items() if value is not None}
    if known is not None:
        return _progress(url, known, "workflow", told)
    assert counts is not None  # noqa: S101 - the batch is there
    return _progress(
        url,
        Progress(
            state=shown_state(counts.state, counts.paused, counts.cancelled, counts.errors),
            count=counts.count,
            waiting=counts.waiting,
            processing=counts.processing,
            completed=counts.completed,
            errors=counts.errors,
            in_flight=[
                InFlight(each.asset, "", each.attempts, each.last_fault, date(each.next_attempt))
                for each in tries
            ],
            closed_hosts=[],
        ),
        "projection",
        told,
    )


def _progress(url: str, known: Progress, source: str, workflow: Mapping[str, str]) -> Resource:
    entries = [
        {
            "asset": each.asset,
            "attempt": each.attempts + 1,
            "since": each.since or None,
            "lastFault": each.last_fault,
            "nextAttempt": each.next_attempt,
        }
        for each in known.in_flight
    ]
    return resource(
        "vocab:BatchProgress",
        url,
        source=source,
        state=str(known.state),
        waiting=known.waiting,
        processing=known.processing,
        completed=known.completed,
        errors=known.errors,
        inFlight=[
            {name: value for name, value in entry.items() if value is not None} for entry in entries
        ],
        closedHosts=[vars(each) for each in known.closed_hosts],
        workflow=workflow,
    )


def _ui_url(settings: Settings, workflow_id: str) -> str | None:
    if settings.temporal_ui_url is None:
        return None
    base = settings.temporal_ui_url.rstrip("/")
    return f"{base}/namespaces/{settings.temporal_namespace}/workflows/{workflow_id}"


@router.delete("")
async def cancel_batch(
    request: Request, scope: TheScope, batch_id: str, links: MadeLinks
) -> JSONResponse:
    """Cancels what has not started; those assets end with the error `Cancelled`."""
    async with database(request) as connection:
        row = await found(connection, scope, batch_id)
        try:
            await batch.cancel(connection, row.id)
        except batch.BatchFinished as finished:
            raise Problem(409, "Conflict", f"Batch {row.id} has finished") from finished
        row = await found(connection, scope, batch_id)
    _nudge(request)
    return JSONResponse(shown(links, row), status_code=202)


@router.post("/test")
async def test_batch(request: Request, scope: TheScope, batch_id: str) -> dict[str, bool]:
    """Re-examines the batch against its entries; `success` when anything was corrected."""
    async with database(request) as connection:
        row = await found(connection, scope, batch_id)
        return {"success": await batch.recheck(connection, row.id)}


@router.post("/retry")
async def retry_batch(
    request: Request, scope: TheScope, batch_id: str, links: MadeLinks
) -> JSONResponse:
    """Retries failed assets: all, or those in `{"member": [{"id", "space"}]}`."""
    async with database(request) as connection:
        row = await found(connection, scope, batch_id)
    body = await bodies.raw(request)
    only = _named_assets(bodies.parsed(body)) if body.strip() else None
    async with database(request) as connection:
        try:
            await batch.retry(connection, row.id, only)
        except batch.NothingFailed as nothing:
            raise Problem(409, "Conflict", f"No asset failed in batch {row.id}") from nothing
        except batch.NotFailedHere as error:
            names = ", ".join(f"{space}/{name}" for space, name in error.assets)
            raise bad_request(f"Did not fail in batch {row.id}: {names}") from error
        row = await found(connection, scope, batch_id)
    _nudge(request)
    return JSONResponse(shown(links, row), status_code=202)


def _named_assets(body: dict[str, Any]) -> list[tuple[int, str]] | None:
    members = body.get("member")
    if members is None:
        return None
    if not isinstance(members, list) or not members:
        raise bad_request("'member' must be an array of assets, each with 'id' and 'space'")
    named, faults = [], []
    for number, member in enumerate(members, 1):
        said = member if isinstance(member, dict) else {}
        space, name = said.get("space"), said.get("id")
        if isinstance(space, bool) or not isinstance(space, int) or not isinstance(name, str):
            faults.append(f"member {number}: 'id' must be a text and 'space' a whole number")
        else:
            named.append((space, name))
    if faults:
        raise bad_request(*faults)
    return named


def _assets_view(name: str, what: str, view: Callable[[batch.Batch], asset.AssetView]) -> None:
    async def read(request: Request, scope: TheScope, batch_id: str, links: MadeLinks) -> Resource:
        async with database(request) as connection:
            row = await found(connection, scope, batch_id)
            url = f"{batch_url(links, scope.customer, row.id)}/{name}"
            return await asset_page(request, connection, links, url, view(row))

    read.__doc__ = what
    router.add_api_route(f"/{name}", read, name=f"read_batch_{name}")


_assets_view(
    "images",
    "Assets whose newest batch this is, as they were sent.",
    lambda row: asset.of_batch(row.id, row.owned),
)
_assets_view(
    "assets",
    "All that the batch was created with and that still exist.",
    lambda row: asset.of_batch_entries(row.id),
)
_assets_view(
    "completedImages",
    "Those of `images` that ended without error.",
    lambda row: asset.of_batch_by_state(row.id, "completed"),
)
_assets_view(
    "errorImages",
    "Those of `images` that ended with an error.",
    lambda row: asset.of_batch_by_state(row.id, "error"),
)
